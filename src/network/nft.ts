import { spawn } from 'node:child_process';
import { Deadline } from '../model/deadline.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { CallOptions } from '../model/ports.js';
import { networkError } from './ensure.js';

/** Debian's nft is in a folder that users have not in their PATH. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/** The packet filter of a host. */
export interface PacketFilter {
  /** Carries out a script, all of it or nothing. Throws ERR_VMPULSE_UNSUPPORTED without nft, ERR_VMPULSE_NETWORK. */
  apply(script: string, options: CallOptions): Promise<void>;
  /** Whether it would carry out a script; changes nothing. Throws as `apply`, but not because the script is refused. */
  accepts(script: string, options: CallOptions): Promise<boolean>;
  /** A table as it is now, without its counters; undefined where there is none. Throws as `apply`. */
  read(table: string, options: CallOptions): Promise<string | undefined>;
}

/** That of the host that this process runs on, by the program nft. */
export const hostFilter: PacketFilter = {
  async apply(script, options) {
    const { status, errors } = await nft(['-f', '-'], script, options);
    if (status !== 0) throw networkError(`nft refuses the rules: ${plainText(errors.trim(), 500)}`);
  },
  async accepts(script, options) {
    return (await nft(['-c', '-f', '-'], script, options)).status === 0;
  },
  async read(table, options) {
    const { status, output, errors } = await nft(['-s', 'list', 'table', ...table.split(' ')], '', options);
    if (status === 0) return output;
    if (/No such file or directory/.test(errors)) return undefined;
    throw networkError(`nft cannot list table ${table}: ${plainText(errors.trim(), 500)}`);
  },
};

interface Answer {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

async function nft(args: readonly string[], input: string, options: CallOptions): Promise<Answer> {
  const child = spawn('nft', args, { env: { PATH: SEARCH_PATH, LC_ALL: 'C' }, stdio: 'pipe' });
  const answer = new Promise<Answer>((resolve, reject) => {
    const [output, errors] = [child.stdout, child.stderr].map((stream) => collect(stream));
    child.once('error', (cause) => reject(missing(cause)));
    child.once('close', (status) =>
      resolve({ status, output: output?.text() ?? '', errors: errors?.text() ?? '' }),
    );
    // It may end before it has read everything; its status says why.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
  try {
    return await new Deadline('nft', options).race(answer);
  } finally {
    child.kill('SIGKILL');
  }
}

function collect(stream: NodeJS.ReadableStream): { text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  return { text: () => Buffer.concat(chunks).toString('utf8') };
}

function missing(cause: Error): VmpulseError {
  const text = `nft cannot be run (${cause.message}); install the package nftables`;
  return new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text, { cause });
}
