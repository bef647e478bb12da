import { accessSync, existsSync } from 'node:fs';
import { labAvailable } from '../lab/vm.mjs';
import { findProgram } from '../scripts/lib/run.mjs';

/**
 * Why chaos cannot run here, or undefined.
 *
 * @returns {string | undefined}
 */
export function chaosObstacle() {
  if (process.getuid() !== 0) return 'network namespaces, TAP devices and mounts need root';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  const program = ['ip', 'mkfs.ext4', 'fsfreeze'].find((name) => findProgram(name) === undefined);
  if (program !== undefined) return `there is no ${program}`;
  try {
    accessSync('/dev/loop-control');
  } catch {
    return 'there are no loop devices';
  }
  const lab = labAvailable();
  return lab.ok ? undefined : lab.reason;
}
