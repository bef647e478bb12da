import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { askUntil, isDead, type StopAttempt, type StopTarget, untilDead } from '../vmm/stop-vmm.js';
import type { QemuMonitor } from './monitor.js';

const STATUS_MS = 1_000;

/** A graceful stop: power button and wait, then `quit`. */
export function stopAttempts(target: StopTarget, monitor: QemuMonitor): readonly StopAttempt[] {
  return [
    (deadline) => pressPowerButton(target, monitor, deadline),
    (deadline) => quit(target, monitor, deadline),
  ];
}

async function pressPowerButton(target: StopTarget, monitor: QemuMonitor, deadline: Deadline): Promise<void> {
  const status = await monitor.status(deadline, STATUS_MS);
  // A guest that does not run cannot shut down: no use in waiting for it.
  if (status !== 'running') throw new VmpulseError('ERR_VMPULSE_COMMAND', `the guest is ${status}`);
  const shutdown = monitor.expect('SHUTDOWN');
  let isOff = false;
  void shutdown.seen.then(() => {
    isOff = true;
  });
  try {
    await askUntil(
      (left) => monitor.request('system_powerdown', undefined, left),
      () => isOff || isDead(target),
      deadline,
    );
  } finally {
    shutdown.cancel();
  }
  // The guest is off. A VMM that stays nevertheless (-no-shutdown) is asked to quit by the next attempt.
  await untilDead(target, deadline.part(STATUS_MS));
}

async function quit(target: StopTarget, monitor: QemuMonitor, deadline: Deadline): Promise<void> {
  // It may end before it replies; only the process counts.
  monitor.request('quit', undefined, deadline).catch(() => {});
  await untilDead(target, deadline);
}
