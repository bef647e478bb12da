import type { Deadline } from '../../model/deadline.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { QemuMonitor } from './monitor.js';

const POLL_MS = 20;

/**
 * Resets the guest and sees to it that it runs. Two facts of QEMU decide the order: a guest that did not run
 * (panicked, stopped by its watchdog, paused) is left in `prelaunch` by a reset and needs `cont`; and a `cont` before
 * the reset would leave its watchdog dead. Repeating a reset does no harm.
 */
export async function resetGuest(monitor: QemuMonitor, deadline: Deadline): Promise<void> {
  const reset = monitor.expect('RESET');
  try {
    await monitor.request('system_reset', undefined, deadline);
    await deadline.race(reset.seen);
  } finally {
    reset.cancel();
  }
  await untilRunning(monitor, deadline);
}

/** Waits for `running` and helps with `cont` where QEMU waits for it, which is after a reset. */
export async function untilRunning(monitor: QemuMonitor, deadline: Deadline): Promise<void> {
  let last = 'unknown';
  try {
    await deadline.until(POLL_MS, async () => {
      last = await monitor.status(deadline);
      if (last === 'prelaunch') await monitor.request('cont', undefined, deadline);
      return last === 'running' ? true : undefined;
    });
  } catch (error) {
    if (!isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT')) throw error;
    const text = `the guest did not run before the deadline, its status is ${last}: ${errorMessage(error)}`;
    throw new VmpulseError('ERR_VMPULSE_TIMEOUT', text, { cause: error });
  }
}
