import type { ProbeKind } from '../model/probe.js';
import { REASON_CLASS, type Reason, type ReasonClass } from '../model/reasons.js';
import type { ProbeRecord } from './probe-record.js';
import type { PolicyVmState } from './vm-state.js';

/** What a kind of probe can bear witness of. */
export type Path = 'process' | 'api' | 'agent' | 'network' | 'console' | 'vcpu' | 'link';

const PATH: Readonly<Record<ProbeKind, Path>> = {
  vmmProcess: 'process',
  vmState: 'api',
  guestAgentPing: 'agent',
  tcpSocket: 'network',
  tcpHalfOpen: 'network',
  icmp: 'network',
  arp: 'network',
  ndp: 'network',
  httpGet: 'network',
  tcpExchange: 'network',
  grpc: 'network',
  vsock: 'network',
  ssh: 'network',
  command: 'network',
  console: 'console',
  vcpuProgress: 'vcpu',
  tapLink: 'link',
  heartbeat: 'network',
  exec: 'agent',
  resource: 'agent',
  custom: 'network',
};

export function isProbeKind(text: string): text is ProbeKind {
  return Object.hasOwn(PATH, text);
}

export function pathOf(record: ProbeRecord): Path {
  return PATH[record.spec.kind];
}

/** The runtime asks it: the VM runs, and nobody has its guest stand still. */
export function isAsked(vm: PolicyVmState, record: ProbeRecord): boolean {
  return vm.running === true && (!vm.suspended || pathOf(record) === 'process');
}

export function isGuestPath(record: ProbeRecord): boolean {
  const path = pathOf(record);
  return path === 'agent' || path === 'network';
}

/**
 * Its failure says that the guest is not well, or cut off. A console, the vCPUs and the host's devices speak too, but what
 * is not seen there proves no death: they are no path on which the guest could have answered.
 */
function speaksOfGuest(record: ProbeRecord): boolean {
  const path = pathOf(record);
  return isGuestPath(record) || path === 'console' || path === 'vcpu' || path === 'link';
}

// What is below is asked several times for every event of a host where everything fails: no copies of the probes.

export function filterProbes(vm: PolicyVmState, is: (record: ProbeRecord) => boolean): ProbeRecord[] {
  const found: ProbeRecord[] = [];
  for (const record of vm.probes.values()) if (is(record)) found.push(record);
  return found;
}

export function someProbe(vm: PolicyVmState, is: (record: ProbeRecord) => boolean): boolean {
  for (const record of vm.probes.values()) if (is(record)) return true;
  return false;
}

export function guestPaths(vm: PolicyVmState): ProbeRecord[] {
  return filterProbes(vm, isGuestPath);
}

/** Failures of a network probe that only somebody inside the guest can cause. */
const ANSWERED: ReadonlySet<ReasonClass> = new Set(['refused', 'tls', 'auth', 'invalid-response']);

const RUN_BY_GUEST: ReadonlySet<ProbeKind> = new Set(['ssh', 'exec']);

/** The guest answered, if wrongly: what failed is a service in it, not the guest. */
export function answered(record: ProbeRecord, reason: Reason | null): boolean {
  if (reason === null) return false;
  // A value that is too high was measured: somebody was there to ask.
  if (REASON_CLASS[reason] === 'threshold') return true;
  // A command that the guest has run, and not this host.
  if (RUN_BY_GUEST.has(record.spec.kind) && (reason === 'exec-nonzero' || reason === 'bad-body')) return true;
  return pathOf(record) === 'network' ? ANSWERED.has(REASON_CLASS[reason]) : reason === 'agent-error';
}

/** Reasons of vmState that are an answer, as opposed to silence. */
const API_ANSWERS: ReadonlySet<Reason> = new Set([
  'guest-panicked',
  'io-error',
  'vm-not-running',
  'process-gone',
  'process-stopped',
]);

export function isSilence(reason: Reason | null): boolean {
  return reason === null || !API_ANSWERS.has(reason);
}

function find(vm: PolicyVmState, path: Path): ProbeRecord | undefined {
  for (const record of vm.probes.values()) if (pathOf(record) === path) return record;
  return undefined;
}

export function apiProbe(vm: PolicyVmState): ProbeRecord | undefined {
  return find(vm, 'api');
}

export function processProbe(vm: PolicyVmState): ProbeRecord | undefined {
  return find(vm, 'process');
}

/** A look at the vCPUs says that the guest takes interrupts. */
export function vcpusMove(vm: PolicyVmState): boolean {
  return find(vm, 'vcpu')?.state === 'ok';
}

export function apiSilent(vm: PolicyVmState): boolean {
  const api = apiProbe(vm);
  return api?.state === 'failed' && isSilence(api.reason);
}

export function notRunningByApi(vm: PolicyVmState): boolean {
  const api = apiProbe(vm);
  return api?.state === 'failed' && api.reason === 'vm-not-running';
}

export function processStopped(vm: PolicyVmState): boolean {
  const process = processProbe(vm);
  return process?.state === 'failed' && process.reason === 'process-stopped';
}

/** A startup probe holds the liveness and readiness probes until it has been ok. */
export function startupPassed(vm: PolicyVmState): boolean {
  return !someProbe(vm, ({ spec, state }) => spec.role === 'startup' && state !== 'ok');
}

export function inGrace(vm: PolicyVmState, now: number): boolean {
  return vm.graceUntilMs !== null && vm.graceUntilMs > now;
}

/** A readiness probe begins as failed and says nothing until it changes; after this long that is an answer, too. */
export function settled(vm: PolicyVmState, now: number): boolean {
  return !inGrace(vm, now) && now >= settledAtMs(vm);
}

export function settledAtMs(vm: PolicyVmState): number {
  return vm.attachedAtMs + (vm.spec?.recovery.graceMs ?? 0);
}

/** Failed probes that make the VM unhealthy: startup, liveness (it holds), critical ones. */
export function failedTriggers(vm: PolicyVmState, now: number): ProbeRecord[] {
  const open = startupPassed(vm);
  return filterProbes(vm, (record) => isFailedTrigger(vm, record, open, now));
}

/** `open`: no startup probe holds the others. */
function isFailedTrigger(vm: PolicyVmState, record: ProbeRecord, open: boolean, now: number): boolean {
  if (!speaksOfGuest(record)) return false;
  const { spec, state, seen } = record;
  if (spec.role === 'startup') return state === 'failed';
  if (!open) return false;
  if (spec.role === 'liveness') return record.latched || (state === 'failed' && seen);
  return spec.critical && state === 'failed' && (seen || settled(vm, now));
}

/** What made the VM suspect fails at this moment, and is not only held. */
export function stillFails(vm: PolicyVmState, now: number): boolean {
  if (processStopped(vm) || apiSilent(vm)) return true;
  const open = startupPassed(vm);
  return someProbe(vm, (record) => record.state === 'failed' && isFailedTrigger(vm, record, open, now));
}

/** Every path into the guest is known to be dead, and there is at least one. */
export function allPathsDead(vm: PolicyVmState): boolean {
  if (!someProbe(vm, isGuestPath)) return false;
  const lives = (p: ProbeRecord) => !p.seen || p.state !== 'failed' || answered(p, p.reason);
  return !someProbe(vm, (p) => isGuestPath(p) && lives(p));
}

/** Somebody inside the guest has answered in this instance, or nobody is ever asked. */
export function guestSeen(vm: PolicyVmState): boolean {
  return someProbe(vm, (p) => p.seen && p.state === 'ok' && isGuestPath(p)) || !someProbe(vm, isGuestPath);
}

/** Every readiness probe is ok, behind its startup probe. */
export function readinessOk(vm: PolicyVmState): boolean {
  return startupPassed(vm) && !someProbe(vm, (r) => r.spec.role === 'readiness' && r.state !== 'ok');
}

/** Probes whose results have been inconclusive for long. */
export function blindProbes(vm: PolicyVmState): ProbeRecord[] {
  return filterProbes(vm, (r) => r.state === 'blind');
}

/** Probes that cannot see, each with why, as people read it. */
export function blindText(probes: readonly ProbeRecord[]): string {
  return probes
    .map(({ spec, reason }) => (reason === null ? spec.name : `${spec.name} (${reason})`))
    .join(', ');
}

/** Without this probe nothing can be said of the health of the VM; a mere check is not missed that much. */
export function decidesHealth(record: ProbeRecord): boolean {
  return speaksOfGuest(record) && (record.spec.role !== 'check' || record.spec.critical);
}

/** Some probe failed, if without making the VM unhealthy. */
export function isDegraded(vm: PolicyVmState, now: number): boolean {
  return someProbe(vm, (r) => r.state === 'failed' && speaksOfGuest(r) && (r.seen || settled(vm, now)));
}

/** Nothing that matters fails, and the guest has been heard. `ready`: as far as its readiness probes go, too. */
export function healthBack(vm: PolicyVmState, now: number, ready: boolean): boolean {
  if (processStopped(vm) || apiSilent(vm)) return false;
  const open = startupPassed(vm);
  if (someProbe(vm, (record) => isFailedTrigger(vm, record, open, now))) return false;
  if (vm.facts.linkFault !== null) return false;
  return guestSeen(vm) && (!ready || readinessOk(vm));
}
