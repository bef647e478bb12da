import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { plainText } from '../../model/plain-text.js';
import { type KnownKey, knownKeys } from './known-hosts.js';
import type { SshTask } from './task.js';

/** Which key a server may show. */
export interface HostKeyRule {
  /** Algorithms to ask for, so that a server with several keys shows one that can be compared; unset: any. */
  readonly algorithms?: string[];
  /** What is wrong with the key that it showed, or undefined. */
  readonly problem: (key: Buffer) => string | undefined;
}

/** Reads what the options say of the host's key. Throws when the file cannot be read or does not know the host. */
export async function hostKeyRule({ ssh, hostName }: SshTask): Promise<HostKeyRule> {
  const { fingerprint, knownHostsFile, port } = ssh;
  if (fingerprint !== undefined) {
    return {
      problem: (key) => {
        const shown = fingerprintOf(key);
        return shown === fingerprint ? undefined : `the host key is ${describe(key)}, not ${fingerprint}`;
      },
    };
  }
  if (knownHostsFile === undefined) return { problem: () => undefined };
  const known = knownKeys(await readFile(knownHostsFile, 'utf8'), hostName, port);
  const accepted = known.filter(({ isRevoked }) => !isRevoked);
  if (accepted.length === 0)
    throw new Error(`${knownHostsFile} has no key of ${hostName} on port ${port}; add one with ssh-keyscan`);
  return {
    algorithms: [...new Set(accepted.flatMap(({ type }) => ALGORITHMS[type] ?? [type]))],
    problem: (key) => keyProblem(known, key, knownHostsFile),
  };
}

/** A key of the type ssh-rsa signs with newer algorithms. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

function keyProblem(known: readonly KnownKey[], key: Buffer, file: string): string | undefined {
  const same = known.filter((each) => each.key.equals(key));
  if (same.some(({ isRevoked }) => isRevoked)) return `the host key ${describe(key)} is revoked in ${file}`;
  return same.length > 0 ? undefined : `the host key is ${describe(key)}, which ${file} does not have`;
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Type and fingerprint; the type is what the server says. */
function describe(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  const type = plainText(key.subarray(4, 4 + Math.min(length, 64)).toString('latin1'));
  return `${type} ${fingerprintOf(key)}`;
}
