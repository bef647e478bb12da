import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { ProcessIdentity } from '../../model/vm.js';
import type { ProcessHandle } from '../host.js';
import { livingState } from '../process.js';
import type { QemuMonitor } from './monitor.js';

const POLL_MS = 20;
const STATUS_MS = 1_000;
/** What a graceful stop keeps back for `quit` and SIGKILL: at most this, at most a quarter of the time. */
const FORCE_RESERVE_MS = 5_000;

export interface StopTarget {
  /** Named in errors. */
  readonly name: string;
  readonly monitor: QemuMonitor;
  readonly process: ProcessIdentity;
  readonly handle: ProcessHandle;
}

/**
 * Ends the VMM and resolves only when its process is dead, so that nothing it held is held any more.
 * Graceful: power button and wait, `quit`, SIGKILL; force: SIGKILL.
 * Throws ERR_VMPULSE_PROCESS_STUCK when even SIGKILL does not end it before the deadline.
 */
export async function stopVmm(
  target: StopTarget,
  mode: 'graceful' | 'force',
  deadline: Deadline,
): Promise<void> {
  if (mode === 'graceful') {
    const reserveMs = Math.min(FORCE_RESERVE_MS, deadline.remainingMs() / 4);
    const askMs = deadline.remainingMs() - reserveMs;
    if (await endedWithin(askMs, deadline, (part) => pressPowerButton(target, part))) return;
    if (await endedWithin(reserveMs / 2, deadline, (part) => quit(target, part))) return;
  }
  await kill(target, deadline);
}

/** Whether the attempt ended the process within its time; only the caller's abort is an error. */
async function endedWithin(
  ms: number,
  deadline: Deadline,
  attempt: (part: Deadline) => Promise<void>,
): Promise<boolean> {
  try {
    await attempt(deadline.part(ms));
    return true;
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED')) throw error;
    return false;
  }
}

async function pressPowerButton(target: StopTarget, deadline: Deadline): Promise<void> {
  const status = await target.monitor.status(deadline, STATUS_MS);
  // A guest that does not run cannot shut down: no use in waiting for it.
  if (status !== 'running') throw new VmpulseError('ERR_VMPULSE_COMMAND', `the guest is ${status}`);
  const shutdown = target.monitor.expect('SHUTDOWN');
  let isOff = false;
  void shutdown.seen.then(() => {
    isOff = true;
  });
  try {
    await target.monitor.request('system_powerdown', undefined, deadline);
    await deadline.until(POLL_MS, () => isOff || isDead(target) || undefined);
  } finally {
    shutdown.cancel();
  }
  // The guest is off. A VMM that stays nevertheless (-no-shutdown) is asked to quit by the next attempt.
  await untilDead(target, deadline.part(STATUS_MS));
}

async function quit(target: StopTarget, deadline: Deadline): Promise<void> {
  // It may end before it replies; only the process counts.
  target.monitor.request('quit', undefined, deadline).catch(() => {});
  await untilDead(target, deadline);
}

async function kill(target: StopTarget, deadline: Deadline): Promise<void> {
  try {
    target.handle.signal('SIGKILL');
  } catch (error) {
    if (!isDead(target)) throw error;
  }
  try {
    await untilDead(target, deadline);
  } catch (error) {
    const state = livingState(target.process);
    if (state === undefined) return;
    // Anything but an uninterruptible sleep is a death under way.
    if (state !== 'D') throw error;
    const text = `process ${target.process.pid} of ${target.name} hangs in the kernel (state D) after SIGKILL; look for stuck storage or network file systems`;
    throw new VmpulseError('ERR_VMPULSE_PROCESS_STUCK', text, {
      details: { pid: target.process.pid, state },
      cause: error,
    });
  }
}

async function untilDead(target: StopTarget, deadline: Deadline): Promise<void> {
  await deadline.until(POLL_MS, () => isDead(target) || undefined);
}

function isDead(target: StopTarget): boolean {
  return livingState(target.process) === undefined;
}
