import { type StepContext, wakeAt } from './context.js';
import { LIMITS } from './defaults.js';
import { countInGroups, forgetFailure, noteNewlyFailing } from './shared-cause.js';
import type { PolicyVmState } from './vm-state.js';

/** Counts the VM anew for the fleet, after its health was noted. */
export function countInFleet(ctx: StepContext, vm: PolicyVmState): void {
  const { host } = ctx.state;
  const was = vm.fleet;
  const is = vm.spec === null ? 'none' : fleetClass(ctx, vm);
  if (is === was) return;
  host.counted += Number(is !== 'none') - Number(was !== 'none');
  if (is === 'failing') host.failing.add(vm.id);
  else host.failing.delete(vm.id);
  countInGroups(host, vm, -1);
  vm.fleet = is;
  countInGroups(host, vm, 1);
  if (is !== 'failing') {
    vm.failingSinceMs = null;
    // What is healed within the window has no cause in common with what fails after it.
    forgetFailure(ctx.state, vm);
  } else {
    vm.failingSinceMs = ctx.now;
    // What was never seen well, as after a restart of the daemon, may have failed at any time; what has failed for
    // long and is acted on now, after somebody let go of brake or incident, is no news.
    if (was === 'counted' && !failsForLong(ctx, vm)) noteNewlyFailing(ctx, vm);
  }
}

function failsForLong(ctx: StepContext, { episode }: PolicyVmState): boolean {
  return episode?.outcome === 'open' && ctx.now - episode.startedAtMs >= LIMITS.newlyUnhealthyMs;
}

/**
 * Only a VM that is expected to run and has conclusive results counts. One that has been unhealthy for long says
 * nothing of the fleet any more, unless brake or incident is what keeps it so.
 */
function fleetClass(ctx: StepContext, vm: PolicyVmState): PolicyVmState['fleet'] {
  switch (vm.health) {
    case 'healthy':
    case 'degraded':
      return 'counted';
    case 'recovering':
      return 'failing';
    case 'unhealthy': {
      const { brake, incident } = ctx.state.host;
      const untilMs = vm.healthSinceMs + LIMITS.newlyUnhealthyMs;
      const heldSinceMs = Math.min(brake?.sinceMs ?? ctx.now, incident?.sinceMs ?? ctx.now);
      if (heldSinceMs < ctx.now) return heldSinceMs < untilMs ? 'failing' : 'counted';
      wakeAt(ctx, untilMs);
      return ctx.now < untilMs ? 'failing' : 'counted';
    }
    default:
      return 'none';
  }
}
