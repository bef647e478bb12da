import { gzipSync } from 'node:zlib';
import { VmpulseError } from '../../../src/model/errors.js';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import { DEFAULT_TIMING } from '../../../src/model/probe.js';
import type { VmId } from '../../../src/model/vm.js';
import type { Intent } from '../../../src/policy/index.js';
import { DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import type { CheckApi } from '../../../src/runtime/checks.js';
import type { GuestApi } from '../../../src/runtime/guests.js';
import { type HealthApi, type LastOutcome, summarizeHealth } from '../../../src/runtime/health.js';
import type { Heartbeat } from '../../../src/runtime/heartbeats.js';
import { History, type HistoryApi } from '../../../src/runtime/history.js';
import type { HookApi } from '../../../src/runtime/hooks/hook-views.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import type { GroupsView, NetworkApi, NetworkView, RepairView } from '../../../src/runtime/network-api.js';
import type {
  ExplainView,
  HoldView,
  HostView,
  MaintenanceView,
  RecoveryPolicyView,
  RuntimeApi,
  RuntimeEvent,
  VmView,
} from '../../../src/runtime/views.js';

export function vmView(id: VmId, more: Partial<VmView> = {}): VmView {
  return {
    id,
    health: 'healthy',
    sinceMs: 1_000,
    ready: true,
    keptReadyBy: null,
    runStrategy: 'Always',
    lifeState: 'RUNNING',
    recoveryEnabled: true,
    address: '192.0.2.7',
    endpoint: { host: '192.0.2.7', port: 8080 },
    labels: { app: 'web' },
    vmm: { pid: 4242, startTimeTicks: 99, startedAtMs: 500 },
    note: '',
    editWarSinceMs: null,
    probes: [
      {
        name: 'readiness',
        role: 'readiness',
        kind: 'httpGet',
        state: 'ok',
        asked: true,
        reason: null,
        sinceMs: 900,
      },
    ],
    mode: { kind: 'managed', reason: '' },
    compliance: { compliant: true, drift: [] },
    customizations: [],
    restartRequired: false,
    ...more,
  };
}

export function explainView(vm: VmId): ExplainView {
  return {
    vm,
    health: 'recovering',
    sinceMs: 2_000,
    sentences: ['The guest kernel panicked.', 'A reset is under way.'],
    evidence: [{ atMs: 1_900, source: 'vmm-event', text: 'panicked' }],
    episode: {
      diagnosis: { kind: 'guest-hung', cause: 'guest-panicked', evidence: [] },
      startedAtMs: 1_900,
      diagnosedAtMs: 1_901,
      attempts: [
        {
          actionId: 'a-1',
          step: 'reset',
          cause: 'guest-panicked',
          startedAtMs: 1_950,
          endedAtMs: null,
          result: null,
        },
      ],
      healedAtMs: null,
      closedAtMs: null,
      outcome: 'open',
    },
    pastEpisodes: [],
    holds: [],
    budget: { consecutiveUsed: 1, consecutiveMax: 3, rolling24hUsed: 1, rolling24hMax: 10 },
    next: { step: 'power-cycle', atMs: 9_000, text: 'if the reset does not help' },
    probes: [
      {
        name: 'liveness',
        role: 'liveness',
        kind: 'tcpSocket',
        state: 'failed',
        asked: true,
        reason: 'connect-timeout',
        sinceMs: 1_980,
      },
    ],
    vmm: { pid: 4242, startTimeTicks: 99, startedAtMs: 500 },
    degradations: [{ what: `monitor/${vm}`, why: 'the monitor does not greet', sinceMs: 1_000 }],
    journal: [{ seq: 7, atMs: 1_950, type: 'action-start', text: 'reset begins' }],
  };
}

const none = () => Promise.reject(new Error('this runtime has no hooks'));
const noHooks: HookApi = { list: () => [], add: none, remove: none, test: none, logs: async () => [] };

/** A runtime that remembers what it was told and says what it was given. */
export class FakeRuntime implements RuntimeApi {
  readonly network = new FakeNetwork(this);
  hooks: HookApi = noHooks;
  readonly calls: unknown[] = [];
  readonly heartbeatTokens = new Set(['good']);
  entries: StoredJournalEntry[] = [];
  vms: VmView[] = [
    vmView('default/web-1'),
    vmView('lab/db', { health: 'unhealthy', ready: false, note: 'guest-hung' }),
  ];
  holds: HoldView[] = [];
  events_: RuntimeEvent[] = [];
  /** When set, every call fails with it. */
  failure: Error | undefined;
  /** When set, explain waits for it. */
  gate: Promise<void> = Promise.resolve();
  /** Requests that came to the gate. */
  waiting = 0;
  readonly #wakers = new Set<() => void>();

  view(): HostView {
    if (this.failure) throw this.failure;
    return {
      version: '1.2.3',
      host: 'host-1',
      pid: 77,
      startedAtMs: 500,
      nowMs: 10_000,
      engine: 'native',
      holds: this.holds,
      degradations: [],
      vms: this.vms,
    };
  }

  viewVm(vm: VmId): VmView {
    const found = this.vms.find(({ id }) => id === vm);
    if (!found) throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM ${vm} is watched`);
    return found;
  }

  recoveryPolicy(vm: VmId): RecoveryPolicyView {
    return { vm: this.viewVm(vm).id, recovery: DEFAULT_RECOVERY, origins: { graceMs: 'RecoveryPolicy web' } };
  }

  async journal({ afterSeq, limit }: { readonly afterSeq: number; readonly limit: number }) {
    return this.entries.filter(({ seq }) => seq > afterSeq).slice(0, limit);
  }

  readonly health: HealthApi = {
    reset: async (options) => {
      this.calls.push(['health-reset', options]);
    },
    summary: () => summarizeHealth(this.view()),
    of: (vm) => {
      const { id, health, sinceMs, probes } = this.viewVm(vm);
      const last = { result: 'ok', reason: null, class: null, atMs: 9_000, durationMs: 1.5 } as const;
      return {
        ...{ vm: id, health, sinceMs, unmonitored: null },
        probes: probes.map((probe) => ({
          ...{
            ...probe,
            class: null,
            periodMs: 10_000,
            asked: true,
            last: this.last ?? last,
            lastOkMs: 9_000,
          },
          streak: { ok: 4, failed: 0, inconclusive: 0 },
        })),
      };
    },
  };
  /** What every probe said last; unset: ok. */
  last: LastOutcome | undefined;

  /** The real history over `entries`. */
  readonly history: HistoryApi = {
    entries: (query) => this.#historyOf((history) => history.entries(query)),
    recoveries: (query) => this.#historyOf((history) => history.recoveries(query)),
  };

  async #historyOf<T>(ask: (history: HistoryApi) => Promise<T>): Promise<T> {
    const journal = new MemoryJournal();
    await journal.append(this.entries, { deadlineMs: 1_000 });
    return ask(new History(journal, async () => {}));
  }

  async explain(vm: VmId): Promise<ExplainView> {
    this.waiting += 1;
    await this.gate;
    return explainView(this.viewVm(vm).id);
  }

  resolveVm(text: string): VmId {
    const found = this.vms.find(({ id }) => id === text || id.endsWith(`/${text}`));
    if (!found) throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM named ${text} is watched`);
    return found.id;
  }

  async hold(options: {
    vm: VmId | null;
    reason: string;
    author: string;
    forMs: number | null;
  }): Promise<void> {
    this.calls.push(['hold', options]);
    const { vm, reason, author, forMs } = options;
    this.holds = [{ vm, reason, author, untilMs: forMs }];
  }

  async resume(options: { vm: VmId | null; author: string }): Promise<void> {
    this.calls.push(['resume', options]);
    this.holds = [];
  }

  async release(options: { vm: VmId; author: string }): Promise<void> {
    this.calls.push(['release', options]);
  }

  async beginMaintenance(options: {
    vm: VmId;
    reason: string;
    author: string;
    forMs: number | null;
  }): Promise<void> {
    this.calls.push(['beginMaintenance', options]);
  }

  async endMaintenance(options: { vm: VmId; author: string }): Promise<void> {
    this.calls.push(['endMaintenance', options]);
  }

  async schedule(options: { vm: VmId; step: string; reason: string; author: string }): Promise<void> {
    this.calls.push(['schedule', options]);
  }

  intents(): readonly Intent[] {
    return this.holds.map((hold) => ({ ...hold, what: 'hold', sinceMs: 0 }));
  }

  maintenance(): readonly MaintenanceView[] {
    return [
      {
        vm: 'default/web-1',
        name: 'journal',
        schedule: '0 3 * * *',
        does: 'journal-vacuum',
        nextAtMs: Date.UTC(2030, 0, 2, 3),
        state: 'waiting',
        why: 'it is degraded',
        last: { endedAtMs: Date.UTC(2030, 0, 1, 3), result: 'failed', text: 'no\u001b[31m output' },
      },
    ];
  }

  async clearIntents(options: { vm: VmId | null; author: string }): Promise<void> {
    this.calls.push(['clearIntents', options]);
    this.holds = [];
  }

  async issueHeartbeatToken(options: { vm: VmId; author: string }): Promise<string> {
    this.calls.push(['issueHeartbeatToken', options]);
    return 'a-new_token';
  }

  async receiveHeartbeat(vm: string, token: string, beat: Heartbeat): Promise<void> {
    this.calls.push(['receiveHeartbeat', vm, token, beat]);
    if (!this.heartbeatTokens.has(token))
      throw new VmpulseError('ERR_VMPULSE_UNAUTHORIZED', 'the token is not that of this VM');
  }

  readonly checks: CheckApi = {
    list: (vm) =>
      this.viewVm(vm).probes.map(({ asked: _, ...probe }) => ({
        ...probe,
        enabled: true,
        target: { host: '192.0.2.7', port: 8080, path: '/health' },
        timing: DEFAULT_TIMING,
        weight: 1,
        critical: false,
      })),
    now: async (vm) => {
      this.calls.push(['check', vm]);
      return this.viewVm(vm).probes.map(({ name, role, kind }) => ({
        ...{ name, role, kind },
        outcome: { result: 'failed', reason: 'connect-timeout' },
        durationMs: 1_000.4,
        warnings: [],
        details: { message: 'no answer\u001b[31m' },
      }));
    },
  };
  readonly guests: GuestApi = {
    exec: async (request) => {
      this.calls.push(['exec', request]);
      if (this.failure) throw this.failure;
      return {
        exitCode: request.argv[0] === 'false' ? 3 : 0,
        stdout: 'out\u001b[31m\nmore\n',
        stderr: 'err\n',
      };
    },
    addresses: async () => [],
    stats: async () => ({
      source: 'vmpulse-agent',
      cpu: { usedPercent: 12.5, ioWaitPercent: 1, stealPercent: 0 },
      memory: { totalBytes: 4096, availableBytes: 1024, swapTotalBytes: 0, swapFreeBytes: 0 },
      disks: [
        { mount: '/', fsType: 'ext4', readOnly: false, totalBytes: 200, usedBytes: 90 },
        { mount: '/media', fsType: 'iso9660', readOnly: true, totalBytes: 100, usedBytes: 100 },
      ],
    }),
    resize: async (vm, change, author) => {
      this.calls.push(['resize', vm, change, author]);
      return 4096;
    },
    console: async (vm) => ({ vm, socket: this.consoleSocket, log: null }),
  };
  consoleSocket = '/nowhere.sock';

  async renderMetrics(encoding: 'identity' | 'gzip'): Promise<Uint8Array<ArrayBuffer>> {
    const text = '# TYPE vmpulse_up gauge\nvmpulse_up 1\n';
    return encoding === 'gzip' ? gzipSync(text) : Uint8Array.from(Buffer.from(text));
  }

  emit(event: Partial<RuntimeEvent>): void {
    const id = this.events_.length + 1;
    this.events_.push({
      id,
      atMs: id * 10,
      vm: null,
      type: 'daemon',
      text: `event ${id}`,
      data: {},
      ...event,
    });
    for (const wake of this.#wakers) wake();
  }

  async *events({
    afterId,
    signal,
  }: {
    afterId?: number;
    signal: AbortSignal;
  }): AsyncIterableIterator<RuntimeEvent> {
    let next = afterId ?? this.events_.length;
    let wake = () => {};
    const waker = () => wake();
    signal.addEventListener('abort', waker);
    while (!signal.aborted) {
      const event = this.events_[next];
      if (event) {
        next += 1;
        yield event;
        continue;
      }
      this.#wakers.add(waker);
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (signal.aborted) resolve();
      });
    }
    this.#wakers.delete(waker);
  }

  /** Clients that wait for events right now. */
  get listeners(): number {
    return this.#wakers.size;
  }
}

/** Remembers what it was told; nothing is wrong with it. */
class FakeNetwork implements NetworkApi {
  readonly #runtime: Pick<FakeRuntime, 'calls'>;
  problems: NetworkView['problems'] = [];

  constructor(runtime: Pick<FakeRuntime, 'calls'>) {
    this.#runtime = runtime;
  }

  async check(): Promise<NetworkView> {
    return { networks: [{ bridge: 'vmbr0', address: '10.77.0.1/24', nat: true }], problems: this.problems };
  }

  async repair(options: Parameters<NetworkApi['repair']>[0]): Promise<RepairView> {
    this.#runtime.calls.push(['network-repair', options]);
    return { done: ['tap0 set up'], problems: [] };
  }

  groups(vm: VmId | null): GroupsView {
    const rule = { id: 'r1', sourceCidr: '10.0.0.0/8', protocol: 'tcp', port: 8080, toPort: null } as const;
    const rules = [{ ...rule, comment: 'Health checks', author: 'root@0', addedAtMs: 1_000 }];
    return {
      groups: [{ name: 'default', policy: null, rules }],
      effective: vm === null ? null : { vm, policy: 'accept' },
    };
  }

  addRule = (options: Parameters<NetworkApi['addRule']>[0]) => this.#told('add-rule', options);
  removeRule = (options: Parameters<NetworkApi['removeRule']>[0]) => this.#told('remove-rule', options);
  setPolicy = (options: Parameters<NetworkApi['setPolicy']>[0]) => this.#told('policy', options);

  async #told(verb: string, options: { vm: VmId | null }): Promise<GroupsView> {
    this.#runtime.calls.push([verb, options]);
    return this.groups(options.vm);
  }
}
