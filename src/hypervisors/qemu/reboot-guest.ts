import type { Channel } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { rebootByAgent } from '../vmm/reboot-by-agent.js';
import type { QemuMonitor } from './monitor.js';
import { resetGuest, untilRunning } from './reset-guest.js';

const AGENT_PING_MS = 2_000;
const RESTORE_MS = 500;

/**
 * Asks the guest for an orderly reboot: through its agent if that answers, else by the power button, where the VMM
 * holds the guest after it has powered off and starts it again. Resolves once the new boot has begun.
 */
export async function rebootGuest(
  monitor: QemuMonitor,
  agent: Channel | undefined,
  restoreShutdown: ShutdownAction,
  deadline: Deadline,
): Promise<void> {
  if (agent === undefined || !(await answers(agent, deadline)))
    return rebootByPowerButton(monitor, restoreShutdown, deadline);
  await rebootByAgent(monitor.expect('RESET'), agent, deadline);
  await untilRunning(monitor, deadline);
}

/** What QEMU does with itself when the guest powers off. */
export type ShutdownAction = 'poweroff' | 'pause';

async function answers(agent: Channel, deadline: Deadline): Promise<boolean> {
  try {
    await agent.request(
      'guest-ping',
      undefined,
      deadline.step(Math.min(AGENT_PING_MS, deadline.remainingMs() / 4)),
    );
    return true;
  } catch {
    deadline.check();
    return false;
  }
}

async function rebootByPowerButton(
  monitor: QemuMonitor,
  restore: ShutdownAction,
  deadline: Deadline,
): Promise<void> {
  const shutdown = monitor.expect('SHUTDOWN');
  try {
    await monitor.request('set-action', { shutdown: 'pause' }, deadline);
    await monitor.request('system_powerdown', undefined, deadline);
    await deadline.race(shutdown.seen);
    await resetGuest(monitor, deadline);
  } finally {
    shutdown.cancel();
    await restoreShutdownAction(monitor, restore);
  }
}

/** Best effort; a session says it again when it first connects. */
export async function restoreShutdownAction(monitor: QemuMonitor, action: ShutdownAction): Promise<void> {
  await monitor.channel
    .request('set-action', { shutdown: action }, { deadlineMs: RESTORE_MS })
    .catch(() => {});
}
