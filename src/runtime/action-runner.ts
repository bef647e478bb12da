import type { ActionResult, RecoveryAction } from '../model/action.js';
import { NEW_VMM_STEPS } from '../model/action.js';
import type { Clock } from '../model/clock.js';
import { errorMessage, isVmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import { plainText } from '../model/plain-text.js';
import type { CapturedEvidence, NetworkPort } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import { withSignal } from '../model/with-signal.js';
import type { PolicyEvent } from '../policy/types.js';
import type { RecoveryRegistry } from '../recovery/registry.js';
import { heldByFile } from './hold-file.js';
import type { HookPort } from './hooks/hook-views.js';
import type { HookReason } from './hooks/occasion.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

/** How soon an action that something outside held is offered again, ms. */
const HELD_RETRY_MS = 10_000;

/** Allow an action, or hold it with a reason that is journalled. */
export type Verdict = { readonly allow: true } | { readonly hold: string };

/** Why an action is not carried out, with the policy's rule for it. */
interface Held {
  readonly rule: 'action-held' | 'pre-start';
  readonly reason: string;
}

export type BeforeAction = (
  action: RecoveryAction,
  options: { readonly signal: AbortSignal },
) => Verdict | Promise<Verdict>;

export interface ActionRunnerOptions {
  readonly recoveries: RecoveryRegistry;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly network: NetworkPort | undefined;
  readonly beforeAction: BeforeAction | undefined;
  /** Looked at before every action, once more just before it; while it exists nothing is done. Its first line is the reason. */
  readonly holdFile: string | undefined;
  /** Why an action that the policy let begin must not any more. */
  readonly heldMeanwhile: (vm: VmId) => string | undefined;
  /** Asked before a VMM is started; unset: nobody is. */
  readonly hooks: HookPort | undefined;
  readonly why: (vm: VmId) => HookReason;
  readonly post: (event: PolicyEvent) => void;
  /** Finds the VMM that a step has started and attaches to it. Never rejects. */
  readonly look: (unit: VmUnit) => Promise<void>;
  /** Stores the policy's state of a VM, so that a budget charged for an action outlives the daemon. */
  readonly persist: (vm: VmId) => Promise<void>;
  readonly onResult: (action: RecoveryAction, result: ActionResult) => void;
  /** An invariant does not hold: nothing was done, and all recovery is to hold. */
  readonly onViolation: (what: string) => void;
}

/** Carries out one recovery: ask, record durably, ask once more, act with a deadline, record the end, tell the policy. */
export class ActionRunner {
  readonly #options: ActionRunnerOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: ActionRunnerOptions) {
    this.#options = options;
  }

  run(action: RecoveryAction, unit: VmUnit): void {
    const done = this.#carryOut(action, unit).finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  /** Withdraws what runs and waits for it to end. A withdrawn action has no end entry: the next start looks. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
  }

  async #carryOut(action: RecoveryAction, unit: VmUnit): Promise<void> {
    const held =
      (await this.#heldBy(action)) ??
      (await this.#heldByHook(action, unit)) ??
      (await this.#heldAtStart(action));
    if (held !== undefined) return this.#hold(action, held);
    const result = await this.#act(action, unit);
    if (this.#abort.signal.aborted) return;
    // The VMM is another one now; after a failure, whatever there is. The policy hears of it before the result.
    const replaced =
      NEW_VMM_STEPS.has(action.step) && (result.result === 'done' || unit.session === undefined);
    if (replaced) await this.#options.look(unit);
    if (this.#abort.signal.aborted) return;
    this.#options.recorder.note({
      vm: action.vm,
      type: 'action-end',
      actionId: action.id,
      text:
        result.result === 'done'
          ? `${action.step} carried out`
          : `${action.step} ${result.result}: ${result.message}`,
      data: { step: action.step, attempt: action.attempt, ...result },
    });
    this.#options.onResult(action, result);
    this.#options.post({ type: 'action-ended', vm: action.vm, actionId: action.id, result });
  }

  /** What can be known at once: persons, and the hold file. */
  #heldNow({ vm }: RecoveryAction): Held | undefined {
    const { holdFile, heldMeanwhile } = this.#options;
    const reason = heldByFile(holdFile) ?? heldMeanwhile(vm);
    return reason === undefined ? undefined : { rule: 'action-held', reason };
  }

  async #heldBy(action: RecoveryAction): Promise<Held | undefined> {
    const held = this.#heldNow(action);
    const vetoed = held === undefined ? await this.#vetoed(action) : undefined;
    return vetoed === undefined ? held : { rule: 'action-held', reason: vetoed };
  }

  async #vetoed(action: RecoveryAction): Promise<string | undefined> {
    const { beforeAction } = this.#options;
    if (beforeAction === undefined) return undefined;
    try {
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(action.timeoutMs)]);
      const verdict = await withSignal(Promise.resolve(beforeAction(action, { signal })), signal);
      return 'hold' in verdict ? `beforeAction: ${plainText(verdict.hold)}` : undefined;
    } catch (error) {
      // A veto that cannot answer holds: doing nothing is always allowed.
      return `beforeAction failed: ${plainText(errorMessage(error))}`;
    }
  }

  /** Before anything that ends a guest: a VM that may not be started is not stopped for it. */
  async #heldByHook(action: RecoveryAction, unit: VmUnit): Promise<Held | undefined> {
    const { hooks, why } = this.#options;
    if (hooks === undefined || !NEW_VMM_STEPS.has(action.step)) return undefined;
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(action.timeoutMs)]);
    const reason = await hooks.beforeStart(unit.spec, why(action.vm), signal);
    // Hooks may take half a minute, in which others may have come to hold what they allowed before.
    return reason === undefined ? this.#heldBy(action) : { rule: 'pre-start', reason };
  }

  async #heldAtStart(action: RecoveryAction): Promise<Held | undefined> {
    const reason = await this.#recordStart(action);
    // A veto and the disk take their time, too.
    return reason === undefined ? this.#heldNow(action) : { rule: 'action-held', reason };
  }

  async #recordStart(action: RecoveryAction): Promise<string | undefined> {
    try {
      await this.#options.persist(action.vm);
      await this.#options.recorder.durable({
        vm: action.vm,
        type: 'action-start',
        actionId: action.id,
        text: `${action.step} begins (${action.diagnosis.kind}: ${action.diagnosis.cause})`,
        data: { step: action.step, attempt: action.attempt, diagnosis: action.diagnosis },
      });
      return undefined;
    } catch (error) {
      return `journal-unavailable: ${errorMessage(error)}`;
    }
  }

  #hold(action: RecoveryAction, { rule, reason }: Held): void {
    if (this.#abort.signal.aborted) return;
    const { clock, recorder, post } = this.#options;
    recorder.note({
      vm: action.vm,
      type: 'action-end',
      actionId: action.id,
      text: `${action.step} held: ${reason}`,
      data: { step: action.step, result: 'held', rule, reason },
    });
    post({
      type: 'action-held',
      vm: action.vm,
      actionId: action.id,
      rule,
      reason,
      retryAtMs: clock.now() + HELD_RETRY_MS,
    });
  }

  async #act(action: RecoveryAction, unit: VmUnit): Promise<ActionResult> {
    const { recoveries, clock, network, recorder, onViolation } = this.#options;
    if (!recorder.isOpen(action.id)) {
      const message = `${action.id} was to be carried out without a durable entry in the journal`;
      onViolation(message);
      return { result: 'impossible', code: 'ERR_VMPULSE_INTERNAL', message };
    }
    const recovery = recoveries.get(action.step);
    if (recovery === undefined) {
      return {
        result: 'impossible',
        code: 'ERR_VMPULSE_UNSUPPORTED',
        message: `no recovery is registered for ${action.step}`,
      };
    }
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(action.timeoutMs)]);
    try {
      const context = {
        vm: unit.spec,
        driver: unit.driver,
        clock,
        signal,
        ...given({ session: unit.session, network }),
        save: (evidence: CapturedEvidence) => this.#saveEvidence(action, evidence),
        onViolation,
      };
      // No step outlives its time in the policy's eyes.
      return await withSignal(recovery.run(action, context), signal);
    } catch (error) {
      const code = isVmpulseError(error) ? error.code : 'ERR_VMPULSE_INTERNAL';
      return { result: 'failed', code, message: plainText(errorMessage(error), 2000) };
    }
  }

  #saveEvidence(action: RecoveryAction, evidence: CapturedEvidence): void {
    this.#options.recorder.note({
      vm: action.vm,
      type: 'decision',
      actionId: action.id,
      text: `evidence captured: VMM status ${plainText(evidence.status)}, ${evidence.consoleTail.length} characters of console`,
      data: {
        status: plainText(evidence.status),
        files: evidence.files,
        consoleTail: plainText(evidence.consoleTail.slice(-2000), 4000),
      },
    });
  }
}
