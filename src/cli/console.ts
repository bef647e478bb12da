import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { FileLock, kernelMissing } from '../kernel/index.js';
import { VmpulseError } from '../model/errors.js';
import type { Output } from './cli.js';

/** What ends an interactive console, as it is written. */
export const ESCAPE_KEY = 'Ctrl-]';
const ESCAPE_BYTE = 0x1d;
const CONNECT_MS = 5_000;
/** No more output for this long means that a command has ended. */
const SILENCE_MS = 1_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * The console of a VM takes one client: a second one would be let in only when the first has gone, and see nothing until
 * then. Throws ERR_VMPULSE_LOCKED.
 */
async function withConsole<T>(path: string, use: (socket: Socket) => Promise<T>): Promise<T> {
  const lock = kernelMissing() === undefined ? takeLock(path) : undefined;
  const socket = createConnection(path);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) });
    return await use(socket);
  } catch (error) {
    if (error instanceof VmpulseError) throw error;
    throw new VmpulseError('ERR_VMPULSE_CHANNEL', `the console at ${path} cannot be reached`, {
      cause: error,
    });
  } finally {
    socket.destroy();
    lock?.close();
  }
}

function takeLock(path: string): FileLock {
  try {
    return new FileLock(`${path}.lock`);
  } catch (cause) {
    if (!(cause instanceof VmpulseError) || cause.code !== 'ERR_VMPULSE_LOCKED') throw cause;
    const text = 'somebody else has the console of this VM; end that one first';
    throw new VmpulseError('ERR_VMPULSE_LOCKED', text, { cause });
  }
}

/** Types one line, and gives what comes until nothing more does, or the time is over. */
export function runOnConsole(path: string, command: string, timeoutMs: number): Promise<string> {
  return withConsole(path, async (socket) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.write(`${command}\r`);
    await new Promise<void>((resolve) => {
      const end = setTimeout(resolve, timeoutMs);
      let silence = setTimeout(resolve, timeoutMs);
      const done = () => {
        clearTimeout(end);
        clearTimeout(silence);
        resolve();
      };
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_OUTPUT_BYTES) return done();
        chunks.push(chunk);
        clearTimeout(silence);
        silence = setTimeout(done, SILENCE_MS);
      });
      socket.once('close', done);
      socket.once('error', done);
    });
    return Buffer.concat(chunks).toString('utf8');
  });
}

/** Connects the terminal, or whatever the standard streams are, to the console until the escape key or its end. */
export function attachConsole(path: string, notes: Output): Promise<void> {
  return withConsole(path, async (socket) => {
    const { stdin, stdout } = process;
    notes.write(`connected; ${ESCAPE_KEY} ends it, Enter may bring up a prompt\n`);
    const isTerminal = stdin.isTTY === true;
    if (isTerminal) stdin.setRawMode(true);
    try {
      await new Promise<void>((resolve) => {
        stdin.on('data', (chunk: Buffer) => {
          const at = chunk.indexOf(ESCAPE_BYTE);
          socket.write(at < 0 ? chunk : chunk.subarray(0, at));
          if (at >= 0) resolve();
        });
        // A console is what the guest makes of it: nothing is escaped, as on a real one.
        socket.on('data', (chunk: Buffer) => {
          if (!stdout.write(chunk)) {
            socket.pause();
            stdout.once('drain', () => socket.resume());
          }
        });
        // Of a pipe: once nothing more comes for what it gave.
        let silence: NodeJS.Timeout | undefined;
        const waitForSilence = () => {
          clearTimeout(silence);
          silence = setTimeout(resolve, SILENCE_MS);
        };
        stdin.once('end', () => {
          waitForSilence();
          socket.on('data', waitForSilence);
        });
        socket.once('close', () => resolve());
        socket.once('error', () => resolve());
      });
    } finally {
      if (isTerminal) stdin.setRawMode(false);
      stdin.pause();
      notes.write('\nended\n');
    }
  });
}
