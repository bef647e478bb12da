import type { HealthState } from '../model/health.js';
import type { VmId } from '../model/vm.js';
import { holdsOf, summarize } from '../policy/index.js';
import type { PolicyState } from '../policy/types.js';
import type { CertificateView } from './certificate-watch.js';
import { type Compliance, complianceOf, customizationsOf } from './compliance.js';
import { endpointOf } from './endpoint.js';
import { lifeStateOf } from './life-state.js';
import type { Listing } from './readiness-list.js';
import type { Degradation, HoldView, HostFigures, HostView, VmFigures, VmView } from './views.js';
import type { VmUnit } from './vm-unit.js';

interface ViewSource {
  readonly state: PolicyState;
  certificatesOf(vm: VmId): readonly CertificateView[];
  listing(vm: VmId): Listing;
  degradationsOf(vm: VmId): readonly Degradation[];
}

const MANAGED: VmView['mode'] = { kind: 'managed', reason: '' };

/** What metrics tell of one VM: for thousands of them at each scrape, so nothing else is looked up. */
function buildVmFigures(source: ViewSource, unit: VmUnit, ready: boolean): VmFigures {
  const { spec } = unit;
  const vm = source.state.vms.get(spec.id);
  return {
    id: spec.id,
    health: vm?.health ?? 'unknown',
    ready,
    compliant: complianceOfUnit(source, unit).compliant,
    paused: spec.mode?.kind === 'paused' || vm?.war.pausedAtMs != null,
    customizations: customizationsOf(spec),
    certificates: source.certificatesOf(spec.id),
  };
}

function complianceOfUnit(source: ViewSource, { spec, session, machineDrift }: VmUnit): Compliance {
  const degradations = source.degradationsOf(spec.id);
  return complianceOf(spec, { isRunning: session !== undefined, machineDrift, degradations });
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
    editWarSinceMs: summary.editWarSinceMs,
    mode: spec.mode ?? MANAGED,
    compliance: complianceOfUnit(source, unit),
    customizations: customizationsOf(spec),
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

/** What metrics tell of the host; `facts` as above. */
export function buildHostFigures(
  source: Pick<ViewSource, 'state'> & { readonly units: ReadonlyMap<VmId, VmUnit> },
  facts: Pick<HostFigures, 'version' | 'startedAtMs' | 'nowMs' | 'degradations'>,
): HostFigures {
  const { state } = source;
  const healthCounts = new Map<HealthState, number>();
  let editWars = 0;
  for (const id of source.units.keys()) {
    const vm = state.vms.get(id);
    const health = vm?.health ?? 'unknown';
    healthCounts.set(health, (healthCounts.get(health) ?? 0) + 1);
    if (vm?.war.pausedAtMs != null) editWars += 1;
  }
  const { brake, incident } = state.host;
  return {
    ...facts,
    holds: holdsOfHost(state),
    healthCounts,
    editWars,
    brakeSinceMs: brake?.sinceMs ?? null,
    incidentSinceMs: incident?.sinceMs ?? null,
  };
}

/** What metrics tell of VMs (`only`: of these), made as it is asked for. The list of endpoints is that of the beginning. */
export function* buildFigures(
  source: ViewSource & { readonly units: ReadonlyMap<VmId, VmUnit> },
  listed: ReadonlySet<VmId>,
  only?: ReadonlySet<VmId>,
): Generator<VmFigures, void, undefined> {
  for (const id of only ?? source.units.keys()) {
    const unit = source.units.get(id);
    if (unit) yield buildVmFigures(source, unit, listed.has(id));
  }
}

/** Persons' holds, and the one that a failed journal leaves until a person resumes. */
function holdsOfHost(state: PolicyState): readonly HoldView[] {
  const persons = holdsOf(state);
  const { journalHold, journalAvailable } = state.host;
  if (journalHold === null) return persons;
  const reason = journalAvailable ? `${journalHold}; vmpulse recovery resume ends this` : journalHold;
  return [{ vm: null, reason, author: 'vmpulse', untilMs: null }, ...persons];
}
