import { findUser, type HostUser } from '../../kernel/users.js';
import { VmpulseError } from '../../model/errors.js';

/** Whom a command runs as when root starts it and nothing else is said. */
const DEFAULT_USER = 'nobody';

/**
 * Whom a command runs as; undefined: as this process does. A process that is not root cannot become somebody else.
 * UID 0 only under the name root. Throws ERR_VMPULSE_ARGUMENT, ERR_VMPULSE_UNSUPPORTED.
 */
export async function chooseUser(wanted: string | undefined): Promise<HostUser | undefined> {
  const own = process.geteuid?.() ?? 0;
  if (own !== 0 && wanted === undefined) return undefined;
  const name = wanted ?? DEFAULT_USER;
  const user = await findUser(name);
  if (user === undefined) {
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there is no user ${name} on this host; name another one`);
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
