import type { VmId } from '../model/vm.js';
import { holdsOf, type Listing, summarize } from '../policy/index.js';
import type { PolicyState } from '../policy/types.js';
import { complianceOf, customizationsOf } from './compliance.js';
import { endpointOf } from './endpoint.js';
import type { Degradation, HoldView, HostView, VmView } from './views.js';
import type { VmUnit } from './vm-unit.js';

interface ViewSource {
  readonly state: PolicyState;
  listing(vm: VmId): Listing;
  degradationsOf(vm: VmId): readonly Degradation[];
}

/** One VM as views show it: configuration, what the policy knows, and the VMM it runs in. */
export function buildVmView(source: ViewSource, unit: VmUnit): VmView {
  const { spec, session } = unit;
  const summary = summarize(source.state, spec.id);
  const { listed, keptBy } = source.listing(spec.id);
  return {
    id: spec.id,
    health: summary.health,
    sinceMs: summary.sinceMs,
    ready: listed,
    keptReadyBy: keptBy,
    runStrategy: spec.runStrategy,
    mode: spec.mode ?? { kind: 'managed', reason: '' },
    recoveryEnabled: spec.recovery.enabled,
    address: spec.address ?? null,
    endpoint: endpointOf(spec),
    labels: spec.labels,
    vmm: session ? { ...session.process, startedAtMs: session.startedAtMs } : null,
    note: summary.note,
    editWarSinceMs: summary.editWarSinceMs,
    probes: summary.probes,
    compliance: complianceOf(spec, {
      isRunning: session !== undefined,
      machineDrift: unit.machineDrift,
      degradations: source.degradationsOf(spec.id),
    }),
    customizations: customizationsOf(spec),
    restartRequired: unit.restartRequired,
  };
}

/** The whole host; `facts` are what neither policy nor units know. */
export function buildHostView(
  source: ViewSource & { readonly units: ReadonlyMap<VmId, VmUnit> },
  facts: Omit<HostView, 'vms' | 'holds'>,
): HostView {
  const vms = [...source.units.values()].map((unit) => buildVmView(source, unit));
  return { ...facts, holds: holdsOfHost(source.state), vms: vms.sort((a, b) => a.id.localeCompare(b.id)) };
}

/** Persons' holds, and the one that a failed journal leaves until a person resumes. */
function holdsOfHost(state: PolicyState): readonly HoldView[] {
  const persons = holdsOf(state);
  if (!state.host.journalHold) return persons;
  const reason = state.host.journalAvailable
    ? 'the journal could not be written for a while; vmpulse recovery resume ends this'
    : 'the journal cannot be written';
  return [{ vm: null, reason, author: 'vmpulse', untilMs: null }, ...persons];
}
