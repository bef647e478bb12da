import { VmpulseError } from '../model/errors.js';
import { Field } from './field.js';
import { newHostState } from './host-state.js';
import { readHold, readVm } from './snapshot-vm.js';
import type { PolicyConfig, PolicyState } from './types.js';
import { type Facts, noFacts, type PolicyVmState, type ProbeRecord } from './vm-state.js';

const FORMAT = 'vmpulse-policy';
const VERSION = 1;
/** More VMs than any host has. */
const MAX_VMS = 1_000_000;

/**
 * The state as text (JSON) for a later `restore`. What only makes sense in this daemon is left out: configuration,
 * fresh looks under way, queues, and the conclusions that a fresh look would have to repeat.
 */
export function serialize(state: PolicyState): string {
  const { hold, journalHold, boots } = state.host;
  const head = JSON.stringify({ format: FORMAT, version: VERSION, host: { hold, journalHold, boots } });
  const vms: string[] = [];
  for (const vm of state.vms.values()) {
    // Most VMs of a large host did not change since the last time.
    vm.stored ??= JSON.stringify(plain(vm));
    vms.push(vm.stored);
  }
  return `${head.slice(0, -1)},"vms":[${vms.join(',')}]}`;
}

// Every field by name: an object that is put together by spreading is a dictionary to V8, slow to make and to write.
function plain(vm: PolicyVmState): Record<string, unknown> {
  return {
    id: vm.id,
    removedAtMs: vm.removedAtMs,
    health: vm.health,
    healthSinceMs: vm.healthSinceMs,
    ready: vm.ready,
    vmmStartedAtMs: vm.vmmStartedAtMs,
    attachedAtMs: vm.attachedAtMs,
    instanceAtMs: vm.instanceAtMs,
    graceUntilMs: vm.graceUntilMs,
    guestBoots: vm.guestBoots,
    facts: saidFacts(vm.facts),
    ended: vm.ended,
    episode: vm.episode,
    past: vm.past,
    budget: vm.budget,
    quarantine: vm.quarantine,
    hold: vm.hold,
    actionHeld: vm.actionHeld,
    impossible: vm.impossible,
    action: vm.action,
    seq: vm.seq,
    asked: vm.asked,
    told: vm.told,
    probes: Array.from(vm.probes.values(), plainProbe),
  };
}

/** Only what the VMM said; of most VMs that is nothing. */
function saidFacts(facts: Facts): Record<string, unknown> {
  const none: Record<string, unknown> = { ...noFacts() };
  return Object.fromEntries(Object.entries(facts).filter(([key, value]) => value !== none[key]));
}

function plainProbe(record: ProbeRecord): Record<string, unknown> {
  const { spec } = record;
  return {
    name: spec.name,
    role: spec.role,
    kind: spec.kind,
    critical: spec.critical,
    startState: spec.startState,
    state: record.state,
    seen: record.seen,
    reason: record.reason,
    sinceMs: record.sinceMs,
    streakStartMs: record.streakStartMs,
    lastOkMs: record.lastOkMs,
    count: record.count,
    latched: record.latched,
  };
}

/**
 * The state that `serialize` wrote, for a new daemon: no VM is configured or has been looked at, so nothing is done
 * to any before both; an action that was in flight is unresolved until a look tells what became of it. Throws
 * ERR_VMPULSE_ARGUMENT naming the place if the text is damaged or of a newer version.
 */
export function restore(text: string, config: PolicyConfig): PolicyState {
  const root = new Field(parse(text), 'state');
  root.get('format').oneOf([FORMAT]);
  const version = root.get('version').number();
  if (version !== VERSION) root.get('version').fail(`version ${version}, this vmpulse reads ${VERSION}`);
  const host = newHostState();
  const stored = root.get('host');
  host.hold = stored.get('hold').orNull(readHold);
  host.journalHold = stored.get('journalHold').boolean();
  host.boots = stored.get('boots').list((b) => b.whole(), 100_000);
  const vms = new Map<string, PolicyVmState>();
  for (const vm of root.get('vms').list(readVm, MAX_VMS)) {
    if (vms.has(vm.id)) root.get('vms').fail(`${vm.id} twice`);
    while (vm.past.length > config.episodesKept) vm.past.shift();
    vms.set(vm.id, vm);
  }
  return { config, vms, host };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'stored policy state is damaged: not JSON', {
      cause: error,
    });
  }
}
