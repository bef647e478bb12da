import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../model/clock.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { HOOK_EVENTS, type Hook, type HookEvent, type HookSettings, hookText } from '../../model/hook.js';
import type { VmId, VmSpec } from '../../model/vm.js';
import type { HookOutcome } from '../metrics/hook-metrics.js';
import type { Recorder } from '../recorder.js';
import { HookLog, type HookRun } from './hook-log.js';
import { type AddedHook, HookStore } from './hook-store.js';
import type { HookApi, HookPort, HookRunView, HookView, NewHook } from './hook-views.js';
import { HookOccasion, type HookReason } from './occasion.js';
import { type HookResult, hookName, refusalOf, runHook } from './run-hook.js';
import { RunningHooks } from './running-hooks.js';
import { Semaphore } from './semaphore.js';

/** Events that wait for their hooks; more are left out, and told. */
const MAX_WAITING = 1000;
/** Longest wait for a file system: a look at a program that is to be added, the last lines of the log; ms. */
const LOOK_MS = 5_000;

export interface HooksOptions {
  readonly settings: HookSettings;
  readonly stateDir: string;
  readonly runDir: string;
  readonly host: string;
  readonly clock: Clock;
  readonly recorder: () => Recorder;
  /** How the VM is to be. Throws ERR_VMPULSE_VM_UNKNOWN. */
  readonly spec: (vm: VmId) => VmSpec;
  readonly specs: () => readonly VmSpec[];
  /** Something works only in part; `why` undefined: it works again. */
  readonly degrade: (what: string, why: string | undefined) => void;
  /** A hook was run, or left out. */
  readonly onRun: (event: HookEvent, result: HookOutcome) => void;
}

/** A hook and who said that it is to be run. */
interface Placed {
  readonly hook: Hook;
  /** Null: every VM's. */
  readonly vm: VmId | null;
  /** Unset: a document or the configuration says it. */
  readonly added?: AddedHook;
}

/**
 * Runs the hooks of VMs. A start waits for pre-start hooks, and is not made where one fails; a stop waits for pre-stop
 * hooks; nothing waits for the others, which run a few at a time, those of one VM in order.
 */
export class Hooks implements HookPort, HookApi {
  readonly #options: HooksOptions;
  readonly #store: HookStore;
  readonly #log: HookLog;
  readonly #running: RunningHooks;
  readonly #atOnce: Semaphore;
  readonly #abort = new AbortController();
  /** The last of each VM that nothing waits for. */
  readonly #last = new Map<VmId, Promise<void>>();
  #settings: HookSettings;
  #waiting = 0;

  constructor(options: HooksOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#store = new HookStore(options.stateDir);
    this.#log = new HookLog(options.stateDir);
    this.#running = new RunningHooks(options.runDir);
    this.#atOnce = new Semaphore(options.settings.concurrency);
  }

  /** Reads what was added, and ends what a daemon that died left running. Never rejects. */
  async start(): Promise<void> {
    await this.#store.load();
    const { problem } = this.#store;
    if (problem !== undefined) this.#options.degrade('hooks', `no VM is started: ${problem}`);
    for (const name of await this.#running.endLeft())
      this.#note(null, `the ${name} of a former daemon was still running and was ended`, {});
  }

  /** Other hooks of the host from now on. */
  configure(settings: HookSettings): void {
    this.#settings = settings;
    this.#atOnce.resize(settings.concurrency);
  }

  /** Ends what runs; what waits is not run. What ended before is written by then, unless the file system hangs. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#last.values());
    await Promise.race([this.#log.written(), delay(LOOK_MS, undefined, { ref: false })]);
  }

  async beforeStart(vm: VmSpec, why: HookReason, signal: AbortSignal): Promise<string | undefined> {
    const { problem } = this.#store;
    if (problem !== undefined) return `pre-start: ${problem}`;
    const occasion = this.#occasion('pre-start', vm, why);
    for (const placed of this.#hooksOf(vm, 'pre-start')) {
      const { result, text } = await this.#run(placed, occasion, signal);
      if (result !== 'done') return `${hookName(placed.hook)}: ${text}`;
    }
    return undefined;
  }

  async beforeStop(vm: VmSpec, why: HookReason, signal: AbortSignal): Promise<void> {
    const occasion = this.#occasion('pre-stop', vm, why);
    for (const placed of this.#hooksOf(vm, 'pre-stop')) await this.#run(placed, occasion, signal);
  }

  note(event: HookEvent, vm: VmSpec, why: HookReason): void {
    const hooks = this.#hooksOf(vm, event);
    if (hooks.length === 0 || this.#abort.signal.aborted) return;
    if (this.#waiting >= MAX_WAITING) {
      this.#note(vm.id, `${event} hooks are left out: ${MAX_WAITING} others wait`, { hook: event });
      this.#options.onRun(event, 'dropped');
      return;
    }
    const occasion = this.#occasion(event, vm, why);
    this.#waiting += 1;
    const done = (this.#last.get(vm.id) ?? Promise.resolve())
      .then(() => this.#atOnce.use(() => this.#runAll(hooks, occasion)))
      .finally(() => {
        this.#waiting -= 1;
        if (this.#last.get(vm.id) === done) this.#last.delete(vm.id);
      });
    this.#last.set(vm.id, done);
  }

  list(vm: VmId | undefined): readonly HookView[] {
    const { spec, specs } = this.#options;
    const view = (placed: Placed) => viewOf(placed, this.#settings);
    if (vm !== undefined) return HOOK_EVENTS.flatMap((event) => this.#hooksOf(spec(vm), event)).map(view);
    const documents = specs().flatMap(({ id, hooks = [] }) => hooks.map((hook) => ({ hook, vm: id })));
    const added = this.#store.hooks.map((each) => ({ hook: each.hook, vm: each.vm, added: each }));
    return [...documents, ...this.#settings.hooks.map((hook) => ({ hook, vm: null })), ...added].map(view);
  }

  async add({ vm, hook, author }: NewHook): Promise<HookView> {
    if (vm !== null) this.#options.spec(vm);
    const refused = await refusalOf(hook, AbortSignal.timeout(LOOK_MS));
    // It would keep VMs from being started, or tell nobody, and that would be seen only then.
    if (refused !== undefined)
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `the hook would not be run: ${refused}`);
    const added = await this.#store.add({ vm, hook, author, addedAtMs: this.#options.clock.now() });
    this.#tellChange(added, `added by ${author}`, author);
    return viewOf({ hook, vm, added }, this.#settings);
  }

  async remove({ id, author }: { id: string; author: string }): Promise<void> {
    this.#tellChange(await this.#store.remove(id), `removed by ${author}`, author);
  }

  async test(options: {
    vm: VmId;
    event: HookEvent;
    author: string;
    signal: AbortSignal;
  }): Promise<readonly HookRunView[]> {
    const { vm, event, author, signal } = options;
    const spec = this.#options.spec(vm);
    const hooks = this.#hooksOf(spec, event);
    if (hooks.length === 0) {
      const text = `${vm} has no ${event} hook; vmpulse hooks list ${vm} shows those that it has`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    }
    const occasion = this.#occasion(event, spec, { reason: 'test', detail: `asked for by ${author}` });
    const runs: HookRunView[] = [];
    for (const placed of hooks) {
      const ended = await this.#run(placed, occasion, signal);
      runs.push({ program: hookText(placed.hook.run), ...ended });
    }
    return runs;
  }

  logs(query: { vm: VmId | undefined; limit: number }): Promise<readonly HookRun[]> {
    return this.#log.read(query.vm, query.limit);
  }

  /** Those of the VM before those of all; the documents before what was added. */
  #hooksOf(vm: VmSpec, event: HookEvent): readonly Placed[] {
    const written = (hooks: readonly Hook[], of: VmId | null) => hooks.map((hook) => ({ hook, vm: of }));
    const added = (of: VmId | null) =>
      this.#store.hooks
        .filter((each) => each.vm === of)
        .map((each) => ({ hook: each.hook, vm: of, added: each }));
    return [
      ...written(vm.hooks ?? [], vm.id),
      ...added(vm.id),
      ...written(this.#settings.hooks, null),
      ...added(null),
    ].filter(({ hook }) => hook.event === event);
  }

  #occasion(event: HookEvent, vm: VmSpec, why: HookReason): HookOccasion {
    const { clock, host } = this.#options;
    return new HookOccasion({ event, vm, why, atMs: clock.now(), host });
  }

  async #runAll(hooks: readonly Placed[], occasion: HookOccasion): Promise<void> {
    for (const placed of hooks) {
      if (this.#abort.signal.aborted) return;
      await this.#run(placed, occasion, this.#abort.signal);
    }
  }

  async #run(placed: Placed, occasion: HookOccasion, signal: AbortSignal): Promise<HookResult> {
    const { hook } = placed;
    const withdrawn = AbortSignal.any([this.#abort.signal, signal]);
    const ended = await runHook(hook, {
      occasion,
      timeoutMs: hook.timeoutMs ?? this.#settings.timeoutMs,
      signal: withdrawn,
      onSpawn: (pid) => this.#running.note(pid, `${hookName(hook)} of ${occasion.vm.id}`),
    });
    // What was withdrawn says nothing of the hook.
    if (!withdrawn.aborted) this.#record(placed, occasion, ended);
    return ended;
  }

  #record(placed: Placed, occasion: HookOccasion, ended: HookResult): void {
    const { event, vm, why } = occasion;
    const { hook } = placed;
    const { result, text, tookMs, stdout, stderr } = ended;
    const program = hookText(hook.run);
    const origin = originOf(placed);
    this.#options.onRun(event, result);
    this.#note(
      vm.id,
      result === 'done'
        ? `${hookName(hook)} done after ${(tookMs / 1000).toFixed(1)} s`
        : `${hookName(hook)} ${result}: ${text}`,
      { hook: event, program, origin, result, tookMs },
      why.actionId,
    );
    const run = { atMs: occasion.atMs, vm: vm.id, event, program, origin, reason: why.reason };
    const { degrade } = this.#options;
    this.#log.add({ ...run, result, text, tookMs, stdout, stderr }).then(
      () => degrade('hook-log', undefined),
      (error: unknown) => degrade('hook-log', `runs of hooks are not kept: ${errorMessage(error)}`),
    );
  }

  #tellChange({ vm, hook, id }: AddedHook, what: string, author: string): void {
    const whose = vm === null ? 'all VMs' : vm;
    this.#options.recorder().note({
      vm,
      type: 'operator',
      actionId: null,
      text: `${hookName(hook)} of ${whose} ${what}`,
      data: { verb: 'hooks', id, author },
    });
  }

  #note(vm: VmId | null, text: string, data: Record<string, unknown>, actionId?: string): void {
    this.#options.recorder().note({ vm, type: 'daemon', actionId: actionId ?? null, text, data });
  }
}

function originOf({ added, vm }: Placed): HookView['origin'] {
  if (added !== undefined) return 'added';
  return vm === null ? 'configuration' : 'document';
}

function viewOf(placed: Placed, settings: HookSettings): HookView {
  const { hook, vm, added } = placed;
  return {
    id: added?.id ?? null,
    vm,
    event: hook.event,
    program: hookText(hook.run),
    user: hook.user ?? null,
    timeoutMs: hook.timeoutMs ?? settings.timeoutMs,
    origin: originOf(placed),
    author: added?.author ?? null,
    addedAtMs: added?.addedAtMs ?? null,
  };
}
