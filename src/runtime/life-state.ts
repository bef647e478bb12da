import type { VmId } from '../model/vm.js';
import type { PolicyState } from '../policy/types.js';

/** Where a VM is in its life. */
export const LIFE_STATES = [
  /** Nobody has looked yet, or it waits to be started. */
  'PENDING',
  /** Its documents and disks are being made. */
  'CREATING',
  'STARTING',
  /** Its VMM runs; health says how its guest is. */
  'RUNNING',
  'PAUSED',
  'STOPPING',
  /** Off, and that is as it should be. */
  'STOPPED',
  'DELETING',
  /** Off, and that is not as it should be. */
  'FAILED',
] as const;

export type LifeState = (typeof LIFE_STATES)[number];

const STARTING: ReadonlySet<string> = new Set(['start', 'power-cycle', 'recreate']);

/** By what is known now, the first that is true. */
export function lifeStateOf(state: PolicyState, id: VmId): LifeState {
  const vm = state.vms.get(id);
  if (!vm) return 'PENDING';
  const { act, action } = vm;
  if (act?.running && act.verb === 'delete') return 'DELETING';
  if (act?.running && act.verb === 'stop') return 'STOPPING';
  if (act?.running && STARTING.has(act.verb)) return 'STARTING';
  if (action && STARTING.has(action.action.step)) return 'STARTING';
  if (vm.running === null) return 'PENDING';
  if (vm.running) return vm.facts.pausedAtMs === null ? 'RUNNING' : 'PAUSED';
  if (vm.quarantine) return 'FAILED';
  if (vm.startupPending) return vm.spec?.recovery.enabled ? 'PENDING' : 'STOPPED';
  return vm.ended === null || vm.ended.diagnosis.kind === 'intended' ? 'STOPPED' : 'FAILED';
}
