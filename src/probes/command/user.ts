import { readFile } from 'node:fs/promises';
import { VmpulseError } from '../../model/errors.js';

/** Whom a command runs as when root starts it and nothing else is said. */
const DEFAULT_USER = 'nobody';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** A user of /etc/passwd, by name. Other sources of users (LDAP, systemd) are not asked. */
async function findUser(name: string): Promise<User | undefined> {
  const passwd = await readFile('/etc/passwd', 'utf8');
  for (const line of passwd.split('\n')) {
    const [entry, , uid = '', gid = ''] = line.split(':');
    if (entry === name && /^\d+$/.test(uid) && /^\d+$/.test(gid))
      return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * Whom a command runs as; undefined: as this process does. A process that is not root cannot become somebody else.
 * UID 0 only under the name root. Throws ERR_VMPULSE_ARGUMENT, ERR_VMPULSE_UNSUPPORTED.
 */
export async function chooseUser(wanted: string | undefined): Promise<User | undefined> {
  const own = process.geteuid?.() ?? 0;
  if (own !== 0 && wanted === undefined) return undefined;
  const name = wanted ?? DEFAULT_USER;
  const user = await findUser(name);
  if (user === undefined) {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `there is no user ${name} in /etc/passwd; name another one`,
    );
  }
  if (own === user.uid) return own === 0 && name !== 'root' ? refuseRoot(name) : undefined;
  if (own !== 0) {
    throw new VmpulseError(
      'ERR_VMPULSE_UNSUPPORTED',
      `only root can run a command as ${name}; leave user out, or run vmpulse as root`,
    );
  }
  return user;
}

function refuseRoot(name: string): never {
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `the user ${name} has UID 0; write root where that is meant, or name another user`,
  );
}
