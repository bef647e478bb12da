import { spawn } from 'node:child_process';
import { type HostAnswer, hostAnswer } from '../daemon/answers/status.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import { type Cli, printError } from './cli.js';
import { EXIT } from './exit-codes.js';
import { type Answer, asCame } from './format.js';
import { inParallel } from './in-parallel.js';
import { withProgress } from './progress.js';

const DEADLINE_MS = 20_000;
const CONNECT_SECONDS = 8;
const AT_ONCE = 8;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_STDERR_BYTES = 4096;
/** What ssh takes for a host here: never an option, nothing for a shell. */
const HOST = /^(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}@)?[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/;
/** What a shell says of a program that it does not find. */
const NOT_FOUND = 127;

/** What a host said of itself. */
export interface RemoteHost {
  /** As it was named. */
  readonly host: string;
  readonly answer: Answer<HostAnswer>;
}

/** Hosts separated by commas. Throws ERR_VMPULSE_USAGE for what is no name of a host. */
export function parseHosts(text: string): readonly string[] {
  const hosts = text.split(',').filter((host) => host !== '');
  const odd = hosts.find((host) => !HOST.test(host));
  if (hosts.length > 0 && odd === undefined) return [...new Set(hosts)];
  const message = `--host "${plainText(odd ?? text)}" is no host; write names as ssh takes them, separated by commas`;
  throw new VmpulseError('ERR_VMPULSE_USAGE', message);
}

/**
 * Asks the daemons of other hosts by ssh, which must not need a password. A host that does not answer in time is told, and
 * the exit status is then 1.
 */
export async function askHosts(cli: Cli, hosts: readonly string[]): Promise<RemoteHost[]> {
  const asked = await withProgress(cli, 'asking hosts by ssh', hosts.length, ({ step }) =>
    inParallel(hosts, AT_ONCE, async (host) => {
      try {
        return { host, answer: await askHost(host) };
      } catch (error) {
        printError(cli, error, false, host);
        cli.setExitCode(EXIT.failed);
        return undefined;
      } finally {
        step();
      }
    }),
  );
  return asked.filter((host) => host !== undefined);
}

async function askHost(host: string): Promise<Answer<HostAnswer>> {
  const text = await runBySsh(host, 'vmpulse status --format json');
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    data = undefined;
  }
  const checked = asCame(hostAnswer).safeParse(data);
  if (checked.success) return checked.data;
  const message = 'what its vmpulse says does not fit; is it of another version than this command?';
  throw new VmpulseError('ERR_VMPULSE_INTERNAL', message);
}

function runBySsh(host: string, command: string): Promise<string> {
  const options = ['BatchMode=yes', `ConnectTimeout=${CONNECT_SECONDS}`].flatMap((each) => ['-o', each]);
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', [...options, '--', host, command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let said = '';
    const fail = (code: 'ERR_VMPULSE_TIMEOUT' | 'ERR_VMPULSE_DAEMON_UNREACHABLE', text: string) => {
      child.kill('SIGKILL');
      reject(new VmpulseError(code, text));
    };
    const timer = setTimeout(
      () => fail('ERR_VMPULSE_TIMEOUT', `it did not answer by ssh within ${DEADLINE_MS / 1000} s`),
      DEADLINE_MS,
    );
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) fail('ERR_VMPULSE_DAEMON_UNREACHABLE', 'its answer is too long');
      else chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-MAX_STDERR_BYTES);
    });
    child.once('error', (error) =>
      fail('ERR_VMPULSE_DAEMON_UNREACHABLE', `ssh cannot be run (${errorMessage(error)}); install it`),
    );
    child.once('close', (status) => {
      clearTimeout(timer);
      if (status === 0) return resolve(Buffer.concat(chunks).toString('utf8'));
      fail('ERR_VMPULSE_DAEMON_UNREACHABLE', whyNot(status, said));
    });
  });
}

function whyNot(status: number | null, said: string): string {
  if (status === NOT_FOUND) return 'vmpulse is not installed there, or not in the PATH of commands by ssh';
  const last = said.trim().split('\n').at(-1) ?? '';
  const hint = status === 255 ? '; ssh must reach it without a password' : '';
  return `it cannot be asked (${plainText(last, 500) || `status ${status}`})${hint}`;
}
