import { existsSync } from 'node:fs';
import { findProgram } from '../scripts/lib/run.mjs';

const SYSTEMD = '/lib/systemd/systemd';

/**
 * Why systemd cannot be run as PID 1 of a container here; `undefined`: it can.
 *
 * @returns {string | undefined}
 */
export function systemdObstacle() {
  if (process.getuid?.() !== 0) return 'a container with systemd needs root';
  if (!existsSync(SYSTEMD)) return `there is no ${SYSTEMD}; run: node scripts/setup.mjs --ci`;
  const missing = ['unshare', 'nsenter', 'setpriv', 'ip'].find((name) => findProgram(name) === undefined);
  return missing === undefined ? undefined : `there is no ${missing}; install util-linux and iproute2`;
}
