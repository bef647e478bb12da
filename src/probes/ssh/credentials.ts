import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ConnectConfig } from 'ssh2';
import type { SshOptions } from '../../model/probe.js';

const MAX_SECRET_BYTES = 64 * 1024;

/** What to log in with. Throws when a file is missing, or open to others than its owner. */
export async function credentials(ssh: SshOptions): Promise<ConnectConfig> {
  const { user, privateKeyFile, passwordFile, agentSocket } = ssh;
  const username = user ?? '';
  if (privateKeyFile !== undefined) return { username, privateKey: await readSecret(privateKeyFile) };
  if (passwordFile !== undefined) {
    const password = (await readSecret(passwordFile)).toString('utf8').replace(/\r?\n$/, '');
    return { username, password, tryKeyboard: true };
  }
  return agentSocket === undefined ? { username } : { username, agent: agentSocket };
}

async function readSecret(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path} is no regular file`);
    if (stats.size > MAX_SECRET_BYTES) throw new Error(`${path} is larger than ${MAX_SECRET_BYTES} bytes`);
    if ((stats.mode & 0o077) !== 0) {
      const mode = (stats.mode & 0o777).toString(8);
      throw new Error(`${path} is open to others than its owner (mode ${mode}); chmod 600 it`);
    }
    if (stats.uid !== 0 && stats.uid !== process.geteuid?.())
      throw new Error(
        `${path} belongs to another user (${stats.uid}); chown it to root or to whom vmpulse runs as`,
      );
    return await file.readFile();
  } finally {
    await file.close();
  }
}
