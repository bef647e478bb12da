import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileLock, kernelMissing } from '../kernel/index.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';

/**
 * Makes this process the one daemon of a state directory until `close()` or its end. Throws ERR_VMPULSE_LOCKED naming
 * the process that is it already. Without the kernel addon nothing is locked.
 */
export function lockStateDir(stateDir: string): Pick<FileLock, 'close'> {
  if (kernelMissing() !== undefined) return { close: () => {} };
  const path = join(stateDir, 'lock');
  try {
    const lock = new FileLock(path);
    signLock(path);
    return lock;
  } catch (error) {
    if (!isVmpulseError(error, 'ERR_VMPULSE_LOCKED')) throw error;
    const pid = holder(path);
    const who = pid === undefined ? 'another process' : `process ${pid}`;
    throw new VmpulseError(
      'ERR_VMPULSE_LOCKED',
      `${who} is the daemon of ${stateDir}; end it first, or give this one its own --state-dir and --run-dir`,
      { cause: error, details: pid === undefined ? {} : { pid } },
    );
  }
}

// Only for the message of the next one; on a full disk the lock holds without it.
function signLock(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch {}
}

/** Who wrote its number into the lock; undefined when it has not yet. */
function holder(path: string): number | undefined {
  const pid = /^(\d{1,10})\n$/.exec(readFileSync(path, 'utf8'))?.[1];
  return pid === undefined ? undefined : Number(pid);
}
