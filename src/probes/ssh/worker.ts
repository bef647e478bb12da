import { connect, type Socket } from 'node:net';
import { RE2JS } from 're2js';
import { Client, type ConnectConfig } from 'ssh2';
import { reasonOfConnection } from '../../engine/portable/errno.js';
import { errnoOf, errorMessage } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { Banner } from './banner.js';
import { credentials } from './credentials.js';
import { hostKeyRule } from './host-key.js';
import type { SshResult, SshTask, SshVerdict } from './task.js';

/** Of a command's output, so much is looked at. */
const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_MESSAGE_CHARS = 300;

type Settle = (verdict: SshVerdict, message?: string, exitCode?: number | null) => void;

/**
 * One conversation with an SSH server. Rejects when it could not be begun (files, keys); ends in its time and leaves
 * nothing open.
 */
export default async function probeSsh(task: SshTask): Promise<SshResult> {
  const config = task.ssh.level === 'banner' ? undefined : await loginConfig(task);
  const socket = connect({ host: task.address, port: task.ssh.port });
  const client = new Client();
  const banner = new Banner();
  let hasConnected = false;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<SshResult>((resolve) => {
      const settle: Settle = (verdict, message = '', exitCode = null) =>
        resolve({
          verdict,
          message: plainText(message, MAX_MESSAGE_CHARS),
          software: plainText(banner.software, 200),
          exitCode,
        });
      timer = setTimeout(
        () => settle(hasConnected ? 'response-timeout' : 'connect-timeout'),
        Math.max(1, task.timeoutMs),
      );
      socket.once('connect', () => {
        hasConnected = true;
      });
      socket.on('error', (error) => settle(reasonOfConnection(errnoOf(error)), errorMessage(error)));
      socket.once('close', () => settle('connection-closed'));
      listenForBanner(socket, banner, config === undefined, settle);
      if (config === undefined) return;
      login(client, { ...config.connect, sock: socket }, config.hostProblem, settle, () =>
        task.ssh.level === 'auth' ? settle('ok') : runCommand(client, task, settle),
      );
    });
  } finally {
    clearTimeout(timer);
    client.on('error', () => {});
    client.destroy();
    socket.destroy();
  }
}

interface Login {
  readonly connect: ConnectConfig;
  /** What was wrong with the key that the server showed. */
  readonly hostProblem: () => string | undefined;
}

async function loginConfig(task: SshTask): Promise<Login> {
  const rule = await hostKeyRule(task);
  let problem: string | undefined;
  return {
    connect: {
      ...(await credentials(task.ssh)),
      ident: 'vmpulse',
      readyTimeout: 0,
      keepaliveInterval: 0,
      ...(rule.algorithms === undefined ? {} : { algorithms: { serverHostKey: rule.algorithms } }),
      hostVerifier: (key: Buffer) => {
        problem = rule.problem(key);
        return problem === undefined;
      },
    } as ConnectConfig,
    hostProblem: () => problem,
  };
}

function listenForBanner(socket: Socket, banner: Banner, isAll: boolean, settle: Settle): void {
  socket.on('data', (bytes: Buffer) => {
    const before = banner.state;
    banner.take(bytes);
    if (banner.state === before) return;
    if (banner.state === 'foreign') settle('protocol-error', `no SSH server: ${banner.said}`);
    else if (isAll) settle('ok');
  });
  // The server may wait for our half before it says more; it logs a client that has said who it is.
  if (isAll) socket.once('connect', () => socket.write('SSH-2.0-vmpulse\r\n'));
}

function login(
  client: Client,
  config: ConnectConfig,
  hostProblem: () => string | undefined,
  settle: Settle,
  ready: () => void,
): void {
  client.once('ready', ready);
  client.on('error', (error: Error & { level?: string }) => {
    const problem = hostProblem();
    if (problem !== undefined) return settle('identity-mismatch', problem);
    if (error.level === 'client-authentication') return settle('authentication-failed', error.message);
    if (error.level === 'client-socket') return settle(reasonOfConnection(errnoOf(error)), error.message);
    if (error.level === 'agent') return settle('prober-resources', `the agent: ${error.message}`);
    settle('handshake-failed', error.message);
  });
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
    finish(prompts.map(() => config.password ?? '')),
  );
  client.connect(config);
}

function runCommand(client: Client, { ssh }: SshTask, settle: Settle): void {
  client.exec(ssh.command ?? '', (error, stream) => {
    if (error) return settle('protocol-error', `the server runs no command: ${error.message}`);
    const output = new Output();
    const errors = new Output();
    let code: number | null = null;
    let endedBy = '';
    stream.on('data', (bytes: Buffer) => output.take(bytes));
    stream.stderr.on('data', (bytes: Buffer) => errors.take(bytes));
    stream.on('exit', (status: number | null, signal?: string) => {
      code = status;
      endedBy = signal ?? '';
    });
    stream.once('close', () => {
      if (code !== 0) {
        const how = code === null ? `ended by ${endedBy || 'a signal'}` : `exit status ${code}`;
        const said = errors.text.trim() || output.text.trim();
        return settle('exec-nonzero', said === '' ? how : `${how}: ${said}`, code);
      }
      const expected = ssh.expectOutput;
      if (expected !== undefined && !RE2JS.compile(expected, RE2JS.MULTILINE).test(output.text))
        return settle('bad-body', `the output is ${output.text.trim()}`, code);
      settle('ok', '', code);
    });
  });
}

/** The beginning of an output; the rest is dropped. */
class Output {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  take(bytes: Buffer): void {
    const part = bytes.subarray(0, MAX_OUTPUT_BYTES - this.#bytes);
    this.#bytes += part.length;
    if (part.length > 0) this.#chunks.push(part);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
