import type { Episode } from './episode.js';
import { Field } from './field.js';
import { type Brake, type Incident, newHostState } from './host-state.js';
import type { ProbeRecord } from './probe-record.js';
import { readHold, readVm } from './snapshot-vm.js';
import type { PolicyConfig, PolicyProbe, PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';
import { type Facts, noFacts } from './vmm-facts.js';

const FORMAT = 'vmpulse-policy';
const VERSION = 1;

/** Key of the row of what concerns all VMs; the others are `vm/<id>`. */
export const HOST_ROW = 'host';

export function vmRow(id: string): string {
  return `vm/${id}`;
}

/**
 * The state as rows of text (JSON) for a later `restore`: one of the host, one a VM, so that whoever stores them writes
 * only those that changed. What only makes sense in this daemon is left out: configuration, fresh looks under way,
 * queues, and the conclusions that a fresh look would have to repeat.
 */
export function serialize(state: PolicyState): Map<string, string> {
  const rows = new Map([[HOST_ROW, hostText(state)]]);
  for (const vm of state.vms.values()) rows.set(vmRow(vm.id), vmText(vm));
  return rows;
}

export function hostText(state: PolicyState): string {
  const { hold, journalHold, boots, brake, brakeReleased, incident } = state.host;
  const stored = { hold, journalHold, boots, brake, brakeReleased, incident };
  return JSON.stringify({ format: FORMAT, version: VERSION, ...stored });
}

/** Most VMs of a large host did not change since the last time: their text is kept. */
export function vmText(vm: PolicyVmState): string {
  vm.stored ??= textOf(vm);
  return vm.stored;
}

function textOf(vm: PolicyVmState): string {
  const probes = Array.from(vm.probes.values(), probeText).join(',');
  const past = vm.past.map(pastText).join(',');
  return `${JSON.stringify(plain(vm)).slice(0, -1)},"probes":[${probes}],"past":[${past}]}`;
}

const pastTexts = new WeakMap<Episode, string>();

/** Nothing changes an episode that is over, and with their evidence they are most of a VM's text: made once. */
function pastText(episode: Episode): string {
  const known = pastTexts.get(episode);
  if (known !== undefined) return known;
  const text = JSON.stringify(episode);
  pastTexts.set(episode, text);
  return text;
}

// Every field by name: an object that is put together by spreading is a dictionary to V8, slow to make and to write.
function plain(vm: PolicyVmState): Record<string, unknown> {
  return {
    id: vm.id,
    removedAtMs: vm.removedAtMs,
    health: vm.health,
    healthSinceMs: vm.healthSinceMs,
    ready: vm.ready,
    vmm: vm.vmm,
    vmmStartedAtMs: vm.vmmStartedAtMs,
    attachedAtMs: vm.attachedAtMs,
    instanceAtMs: vm.instanceAtMs,
    graceUntilMs: vm.graceUntilMs,
    guestBoots: vm.guestBoots,
    facts: saidFacts(vm.facts),
    ended: vm.ended,
    episode: vm.episode,
    budget: vm.budget,
    quarantine: vm.quarantine,
    everRan: vm.everRan,
    interrupted: vm.interrupted,
    forced: vm.forced,
    war: vm.war.day.length === 0 && vm.war.pausedAtMs === null ? null : vm.war,
    hold: vm.hold,
    maintenance: vm.maintenance,
    act: vm.act,
    off: vm.off,
    scheduled: vm.scheduled,
    actionHeld: vm.actionHeld,
    impossible: vm.impossible,
    action: vm.action,
    seq: vm.seq,
    asked: vm.asked,
    told: vm.told,
  };
}

/** Only what the VMM said; of most VMs that is nothing. */
function saidFacts(facts: Facts): Partial<Facts> {
  const said: Partial<Record<keyof Facts, unknown>> = {};
  for (const key of FACTS) if (facts[key] !== NO_FACTS[key]) said[key] = facts[key];
  return said as Partial<Facts>;
}

const NO_FACTS: Readonly<Facts> = noFacts();
const FACTS = Object.keys(NO_FACTS) as (keyof Facts)[];

const specTexts = new WeakMap<PolicyProbe, string>();

/** What is configured of a probe, as the beginning of its text: made once. */
function specText(spec: PolicyProbe): string {
  const known = specTexts.get(spec);
  if (known !== undefined) return known;
  const { name, role, kind, critical, startState } = spec;
  const text = JSON.stringify({ name, role, kind, critical, startState }).slice(0, -1);
  specTexts.set(spec, text);
  return text;
}

/** Probes are most of a text: numbers, truth values and names of ours are JSON as they are. */
function probeText(record: ProbeRecord): string {
  const { spec, state, seen, reason, latched, sinceMs, streakStartMs, lastOkMs, count } = record;
  const why = reason === null ? 'null' : `"${reason}"`;
  const said = `"state":"${state}","seen":${seen},"reason":${why},"latched":${latched}`;
  const when = `"sinceMs":${sinceMs},"streakStartMs":${streakStartMs},"lastOkMs":${lastOkMs},"count":${count}`;
  return `${specText(spec)},${said},${when}}`;
}

/**
 * The state that `serialize` wrote, for a new daemon: no VM is configured or has been looked at, so nothing is done
 * to any before both; an action that was in flight is unresolved until a look tells what became of it. Throws
 * ERR_VMPULSE_ARGUMENT naming the place if a row is damaged, missing or of a newer version.
 */
export function restore(rows: ReadonlyMap<string, string>, config: PolicyConfig): PolicyState {
  const host = newHostState();
  const stored = parse(rows.get(HOST_ROW), HOST_ROW);
  stored.get('format').oneOf([FORMAT]);
  const version = stored.get('version').number();
  if (version !== VERSION) stored.get('version').fail(`version ${version}, this vmpulse reads ${VERSION}`);
  host.hold = stored.get('hold').orNull(readHold);
  host.journalHold = stored.get('journalHold').orNull((h) => h.string());
  host.boots = stored.get('boots').list((b) => b.whole(), 100_000);
  // The limits may be others now.
  host.former.bootsUntilMs = host.boots.at(-1) ?? 0;
  if (stored.has('brake')) {
    host.brake = stored.get('brake').orNull(readBrake);
    host.brakeReleased = stored.get('brakeReleased').boolean();
  }
  if (stored.has('incident')) host.incident = stored.get('incident').orNull(readIncident);
  const vms = new Map<string, PolicyVmState>();
  // What concerns all VMs goes through them in this order, which must not depend on how the rows were stored.
  for (const [key, text] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (key === HOST_ROW) continue;
    const row = parse(text, key);
    const vm = readVm(row);
    if (vmRow(vm.id) !== key) row.get('id').fail(`it is in the row ${key}`);
    while (vm.past.length > config.episodesKept) vm.past.shift();
    vms.set(vm.id, vm);
  }
  return { config, vms, host };
}

function readBrake(f: Field): Brake {
  return {
    sinceMs: f.get('sinceMs').whole(),
    calmSinceMs: f.get('calmSinceMs').orNull((c) => c.whole()),
    told: f.get('told').boolean(),
  };
}

function readIncident(f: Field): Incident {
  return {
    cause: f.get('cause').string(),
    sinceMs: f.get('sinceMs').whole(),
    calmSinceMs: f.get('calmSinceMs').orNull((c) => c.whole()),
    aloneSinceMs: f.has('aloneSinceMs') ? f.get('aloneSinceMs').orNull((a) => a.whole()) : null,
  };
}

function parse(text: string | undefined, key: string): Field {
  if (text === undefined) return new Field(text, key).fail('the row is missing');
  try {
    return new Field(JSON.parse(text), key);
  } catch {
    return new Field(text, key).fail('not JSON');
  }
}
