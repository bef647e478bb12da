import type { Deadline } from '../../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { ProcessIdentity } from '../../model/vm.js';
import type { ProcessHandle } from '../host.js';
import { livingState } from '../process.js';

const STOP_POLL_MS = 20;
/** What a graceful stop keeps back for what comes after asking the guest: at most this, at most a quarter of the time. */
const FORCE_RESERVE_MS = 5_000;

export interface StopTarget {
  /** Named in errors. */
  readonly name: string;
  readonly process: ProcessIdentity;
  readonly handle: ProcessHandle;
}

/** A guest that boots, or whose services begin, does not hear its power button; one that shuts down does not mind it. */
const ASK_AGAIN_MS = 5_000;

/** Asks for the end of the VMM and waits for it; ends by the deadline. Throws where it did not work. */
export type StopAttempt = (deadline: Deadline) => Promise<void>;

/**
 * Ends the VMM and resolves only when its process is dead, so that nothing it held is held any more. The attempts come
 * one after another, the first, which asks the guest, with most of the time; then SIGKILL, or what `force` has in its
 * place. By force: no attempts.
 * Throws ERR_VMPULSE_PROCESS_STUCK when even SIGKILL does not end it before the deadline.
 */
export async function stopVmm(
  target: StopTarget,
  attempts: readonly StopAttempt[],
  deadline: Deadline,
  force: StopAttempt = (within) => kill(target, within),
): Promise<void> {
  const reserveMs = Math.min(FORCE_RESERVE_MS, deadline.remainingMs() / 4);
  for (const [index, attempt] of attempts.entries()) {
    const ms = index === 0 ? deadline.remainingMs() - reserveMs : reserveMs / attempts.length;
    if (await endedWithin(ms, deadline, attempt)) return;
  }
  await force(deadline);
}

/** Whether the attempt ended the process within its time; only the caller's abort is an error. */
async function endedWithin(ms: number, deadline: Deadline, attempt: StopAttempt): Promise<boolean> {
  try {
    await attempt(deadline.part(ms));
    return true;
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED')) throw error;
    return false;
  }
}

/**
 * Asks the guest to end until it is done, or the time is over; that the first question fails is an error. A question that
 * hangs keeps nobody from seeing that it is done.
 */
export async function askUntil(
  ask: (deadline: Deadline) => Promise<unknown>,
  isDone: () => boolean,
  deadline: Deadline,
): Promise<void> {
  await ask(deadline);
  while (!(await doneWithin(ASK_AGAIN_MS, isDone, deadline))) {
    void ask(deadline.part(ASK_AGAIN_MS)).catch(() => {});
  }
}

async function doneWithin(ms: number, isDone: () => boolean, deadline: Deadline): Promise<boolean> {
  try {
    await deadline.part(ms).until(STOP_POLL_MS, () => isDone() || undefined);
    return true;
  } catch (error) {
    deadline.check();
    if (!isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT')) throw error;
    return false;
  }
}

async function kill(target: StopTarget, deadline: Deadline): Promise<void> {
  try {
    target.handle.signal('SIGKILL');
  } catch (error) {
    if (!isDead(target)) throw error;
  }
  await deadOrStuck(target, untilDead(target, deadline));
}

/** Awaits what is to end with the death of the process; says so where the kernel keeps it. */
export async function deadOrStuck(target: StopTarget, death: Promise<void>): Promise<void> {
  try {
    await death;
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

export async function untilDead(target: StopTarget, deadline: Deadline): Promise<void> {
  await deadline.until(STOP_POLL_MS, () => isDead(target) || undefined);
}

export function isDead(target: StopTarget): boolean {
  return livingState(target.process) === undefined;
}

/** Asks the process itself, which may clean up behind itself. */
export async function terminate(target: StopTarget, deadline: Deadline): Promise<void> {
  target.handle.signal('SIGTERM');
  await untilDead(target, deadline);
}
