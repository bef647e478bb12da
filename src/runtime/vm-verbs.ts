import type { Deadline } from '../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import type { VmmSession } from '../model/ports.js';
import type { ActTarget } from './person-acts.js';

const POLL_MS = 20;
/** How long the engine may take to tell that a VMM which is dead has ended, ms. */
const HEARD_MS = 10_000;
/** What a graceful stop has beyond the guest's own time to quit and be killed, ms. */
const FORCE_MS = 10_000;

/** Each does nothing where the VM is as wanted already, so that it can be done again after a crash. */

export async function startVm(target: ActTarget, deadline: Deadline): Promise<string> {
  const { spec, driver } = target;
  if (await attached(target)) return 'it runs already';
  refuseIfNotOurs(target);
  await target.beforeStart(deadline);
  try {
    await driver.start(spec, deadline.step());
  } catch (error) {
    if (!isVmpulseError(error, 'ERR_VMPULSE_VM_RUNNING')) throw error;
  }
  await target.look(true);
  const { process } = target.session() ?? {};
  if (process) return `its VMM is process ${process.pid}`;
  throw new VmpulseError('ERR_VMPULSE_START_FAILED', `the VMM of ${spec.id} was started and is gone`);
}

/** Proves that a VM which is about to be ended can be started again. Throws what keeps it from that. */
export async function requireStart(target: ActTarget, deadline: Deadline): Promise<void> {
  refuseIfNotOurs(target);
  await target.driver.proveStart(target.spec, deadline.step());
}

function refuseIfNotOurs({ spec, driver }: ActTarget): void {
  if (driver.supports(spec, 'start')) return;
  const text = `${spec.id} cannot be started by vmpulse; start it the way it was started before`;
  throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
}

/** Resolves once the process is dead and everybody here has heard of it. */
export async function stopVm(
  target: ActTarget,
  mode: 'graceful' | 'force',
  deadline: Deadline,
): Promise<string> {
  const session = await attached(target);
  if (!session) return 'it does not run';
  await target.beforeStop(deadline);
  const graceMs = target.spec.recovery.gracefulStopMs + FORCE_MS;
  await session.stop(mode, deadline.step(graceMs));
  await deadline.part(HEARD_MS).until(POLL_MS, () => target.session() !== session || undefined);
  return mode === 'force' ? `process ${session.process.pid} was killed` : 'it was stopped';
}

export async function pauseVm(target: ActTarget, deadline: Deadline): Promise<string> {
  const session = await requireRunning(target);
  if ((await session.status(deadline.step())) === 'paused') return 'it is paused already';
  await session.pause(deadline.step());
  return 'it is paused';
}

export async function resumeVm(target: ActTarget, deadline: Deadline): Promise<string> {
  const session = await requireRunning(target);
  if ((await session.status(deadline.step())) === 'running') return 'it runs already';
  await session.resume(deadline.step());
  return 'it runs on';
}

/** The reset button: the guest boots again, its VMM stays. */
export async function resetVm(target: ActTarget, deadline: Deadline): Promise<string> {
  const session = await requireRunning(target);
  await session.reset(deadline.step());
  return 'it was reset; its guest boots';
}

/** Saves the VM as it is, under a name, in its disks. */
export async function snapshotVm(target: ActTarget, name: string, deadline: Deadline): Promise<string> {
  const session = await requireRunning(target);
  if (session.snapshot === undefined) {
    const text = `driver ${target.driver.name} of ${target.spec.id} cannot save a VM`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
  const disks = await session.snapshot({ ...deadline.step(), name });
  return `saved as ${name} in ${disks.join(', ')}`;
}

async function attached(target: ActTarget): Promise<VmmSession | undefined> {
  if (target.session() === undefined) await target.look(false);
  return target.session();
}

async function requireRunning(target: ActTarget): Promise<VmmSession> {
  const session = await attached(target);
  if (session !== undefined) return session;
  throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `${target.spec.id} does not run; start it first`);
}
