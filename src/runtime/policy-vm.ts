import { LADDER_STEPS, type LadderStep } from '../model/action.js';
import { given } from '../model/given.js';
import type { Driver } from '../model/ports.js';
import { startState } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';
import type { PolicyVm } from '../policy/types.js';

/** Steps that the configuration has what they need for, and does not leave out. */
function isConfigured({ recovery }: VmSpec, step: LadderStep): boolean {
  if (recovery.skip?.includes(step)) return false;
  switch (step) {
    case 'restart-service':
      return recovery.restartService !== undefined;
    case 'exec':
      return recovery.exec !== undefined;
    case 'cleanup':
      return recovery.cleanup !== undefined;
    case 'recreate':
      return recovery.recreate;
    default:
      return true;
  }
}

/** What the policy needs to know of a VM under its driver. */
export function policyVm(spec: VmSpec, driver: Driver): PolicyVm {
  const isPossible = (step: LadderStep) =>
    step === 'escalate' || (isConfigured(spec, step) && driver.supports(spec, step));
  return {
    id: spec.id,
    runStrategy: spec.runStrategy,
    ...given({ forceReconcile: spec.forceReconcile, mode: spec.mode }),
    recovery: spec.recovery,
    steps: LADDER_STEPS.filter(isPossible),
    probes: spec.probes
      .filter((probe) => probe.enabled)
      .map(({ name, role, check, critical }) => ({
        name,
        role,
        kind: check.kind,
        critical,
        startState: startState(role),
      })),
  };
}
