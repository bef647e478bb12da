import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A command ended badly, could not be started, or outlived its deadline. `output` are its first and last lines. */
export class CommandError extends Error {
  constructor(message, output) {
    super(message);
    this.name = 'CommandError';
    this.output = output;
  }
}

const KEPT_OUTPUT_BYTES = 1024 * 1024;
const HEARTBEAT_MS = 10_000;

/**
 * Runs a command without a shell and returns its standard output. Long commands report a line every
 * ten seconds through `log`, so that whoever waits sees that something goes on.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, deadlineMs?: number, log?: (line: string) => void }} [options]
 * @returns {Promise<string>} standard output, at most the last MiB
 * @throws {CommandError} with the first and last lines of both outputs
 */
export function run(program, args, { cwd, env, deadlineMs = 600_000, log = () => {} } = {}) {
  const title = [program, ...args].join(' ').slice(0, 120);
  return new Promise((resolve, reject) => {
    const startedMs = Date.now();
    // A session of its own, so that at the deadline its children end with it.
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const output = { out: '', all: '' };
    let timedOut = false;
    const collect = (stream, isOut) => {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        output.all = (output.all + text).slice(-KEPT_OUTPUT_BYTES);
        if (isOut) output.out = (output.out + text).slice(-KEPT_OUTPUT_BYTES);
      });
    };
    collect(child.stdout, true);
    collect(child.stderr, false);

    const killGroup = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended in the meantime.
      }
    };
    const deadline = setTimeout(() => {
      timedOut = true;
      killGroup();
    }, deadlineMs);
    const heartbeat = setInterval(() => {
      const seconds = Math.round((Date.now() - startedMs) / 1000);
      log(`  … ${title.slice(0, 50)} still runs (${seconds} s) ${lastLine(output.all)}`);
    }, HEARTBEAT_MS);
    const forwarded = ['SIGINT', 'SIGTERM'].map((signal) => {
      const onSignal = () => {
        killGroup();
        process.exit(130);
      };
      process.once(signal, onSignal);
      return () => process.removeListener(signal, onSignal);
    });
    const settle = (finish) => {
      clearTimeout(deadline);
      clearInterval(heartbeat);
      for (const remove of forwarded) remove();
      finish();
    };

    child.once('error', (error) =>
      settle(() =>
        reject(new CommandError(`${title}: cannot be started (${error.code ?? error.message})`, '')),
      ),
    );
    child.once('close', (status, signal) =>
      settle(() => {
        if (status === 0) return resolve(output.out);
        const how = timedOut
          ? `no end after ${deadlineMs / 1000} s`
          : `ended with ${signal ?? `status ${status}`}`;
        reject(new CommandError(`${title}: ${how}`, excerpt(output.all)));
      }),
    );
  });
}

/**
 * Finds an executable on PATH, also in the sbin folders that an ordinary user's PATH lacks.
 *
 * @param {string} program
 * @returns {string | undefined} its full path
 */
export function findProgram(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

function lastLine(text) {
  const lines = text.trimEnd().split(/[\r\n]+/);
  return (lines.at(-1) ?? '').slice(0, 70);
}

/** The first and the last lines: some programs name the cause before pages of advice, others after them. */
function excerpt(text) {
  const lines = text.trimEnd().split('\n');
  if (lines.length <= 30) return lines.join('\n');
  return [...lines.slice(0, 12), `… ${lines.length - 30} more lines …`, ...lines.slice(-18)].join('\n');
}
