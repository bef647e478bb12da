import type { VmId } from '../model/vm.js';
import { holdsOf, summarize } from '../policy/index.js';
import type { PolicyState } from '../policy/types.js';
import { complianceOf, customizationsOf } from './compliance.js';
import { endpointOf } from './endpoint.js';
import { lifeStateOf } from './life-state.js';
import type { Listing } from './readiness-list.js';
import type { Degradation, HoldView, HostFigures, HostView, VmFigures, VmView } from './views.js';
import type { VmUnit } from './vm-unit.js';

interface ViewSource {
  readonly state: PolicyState;
  listing(vm: VmId): Listing;
  degradationsOf(vm: VmId): readonly Degradation[];
}

const MANAGED: VmView['mode'] = { kind: 'managed', reason: '' };

/** What metrics tell of one VM: for thousands of them at each scrape, so nothing else is looked up. */
function buildVmFigures(source: ViewSource, { spec, session, machineDrift }: VmUnit): VmFigures {
  const vm = source.state.vms.get(spec.id);
  return {
    id: spec.id,
    health: vm?.health ?? 'unknown',
    ready: source.listing(spec.id).listed,
    editWarSinceMs: vm?.war.pausedAtMs ?? null,
    mode: spec.mode ?? MANAGED,
    compliance: complianceOf(spec, {
      isRunning: session !== undefined,
      machineDrift,
      degradations: source.degradationsOf(spec.id),
    }),
    customizations: customizationsOf(spec),
  };
}

/** One VM as views show it: configuration, what the policy knows, and the VMM it runs in. */
export function buildVmView(source: ViewSource, unit: VmUnit): VmView {
  const { spec, session } = unit;
  const summary = summarize(source.state, spec.id);
  return {
    ...buildVmFigures(source, unit),
    sinceMs: summary.sinceMs,
    keptReadyBy: source.listing(spec.id).keptBy,
    runStrategy: spec.runStrategy,
    lifeState: lifeStateOf(source.state, spec.id),
    recoveryEnabled: spec.recovery.enabled,
    address: spec.address ?? null,
    endpoint: endpointOf(spec),
    labels: spec.labels,
    vmm: session ? { ...session.process, startedAtMs: session.startedAtMs } : null,
    note: summary.note,
    probes: summary.probes,
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

/** What metrics are made of; `facts` as above. */
export function buildHostFigures(
  source: ViewSource & { readonly units: ReadonlyMap<VmId, VmUnit> },
  facts: Omit<HostFigures, 'vms' | 'holds'>,
): HostFigures {
  const vms = [...source.units.values()].map((unit) => buildVmFigures(source, unit));
  return { ...facts, holds: holdsOfHost(source.state), vms };
}

/** Persons' holds, and the one that a failed journal leaves until a person resumes. */
function holdsOfHost(state: PolicyState): readonly HoldView[] {
  const persons = holdsOf(state);
  const { journalHold, journalAvailable } = state.host;
  if (journalHold === null) return persons;
  const reason = journalAvailable ? `${journalHold}; vmpulse recovery resume ends this` : journalHold;
  return [{ vm: null, reason, author: 'vmpulse', untilMs: null }, ...persons];
}
