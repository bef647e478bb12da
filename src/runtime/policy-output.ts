import { channel } from 'node:diagnostics_channel';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import type { Decision, PolicyEffect, PolicyEvent } from '../policy/types.js';
import type { ActionRunner } from './action-runner.js';
import type { ActivityWatch } from './activity-watch.js';
import type { HookPort } from './hooks/hook-views.js';
import { hookOf } from './hooks/why.js';
import type { InputLog } from './input-log.js';
import type { PersonActs } from './person-acts.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';

type VmEffect = Exclude<PolicyEffect, { readonly type: 'escalate' }>;

export interface PolicyOutputOptions {
  readonly units: ReadonlyMap<VmId, VmUnit>;
  readonly recorder: Recorder;
  readonly inputs: InputLog;
  readonly activity: ActivityWatch;
  readonly runner: ActionRunner;
  readonly acts: PersonActs;
  readonly logger: Logger;
  readonly hooks: HookPort | undefined;
  readonly post: (event: PolicyEvent) => void;
  readonly onDecision: ((decision: Decision) => void) | undefined;
}

/** What the policy puts out: tells its decisions, and does what it wants done. */
export class PolicyOutput {
  readonly #options: PolicyOutputOptions;

  constructor(options: PolicyOutputOptions) {
    this.#options = options;
  }

  tell(decision: Decision): void {
    const { units, recorder, hooks, onDecision } = this.#options;
    const { vm, kind, rule, text, actionId, data } = decision;
    onDecision?.(decision);
    const type = kind === 'health' ? 'health' : 'decision';
    recorder.note({ vm, type, actionId, text, data: { kind, rule, ...data } });
    const hook = hookOf(decision);
    const unit = vm === null ? undefined : units.get(vm);
    if (hook && unit) hooks?.note(hook.event, unit.spec, hook.why);
  }

  do(effect: PolicyEffect): void {
    if (effect.type === 'escalate') {
      const { vm, text } = effect;
      this.#options.logger.error({ vm }, text);
      channel('vmpulse:escalate').publish({ vm, text });
      return;
    }
    const unit = this.#options.units.get(effect.type === 'recover' ? effect.action.vm : effect.vm);
    if (unit) this.#doTo(unit, effect);
  }

  #doTo(unit: VmUnit, effect: VmEffect): void {
    const { inputs, activity, runner, acts } = this.#options;
    switch (effect.type) {
      case 'confirm':
        void this.#confirm(unit, effect);
        return;
      case 'act':
        acts.grant(effect.id);
        return;
      case 'recover':
        runner.run(effect.action, unit);
        return;
      case 'watch-activity':
        inputs.beginWatch(effect.vm);
        if (effect.watch) activity.watch(unit);
        else activity.unwatch(effect.vm);
        return;
      case 'suspend-probes':
        unit.probes.suspend();
        return;
      case 'resume-probes':
        unit.probes.resume();
        return;
      case 'new-instance':
        unit.probes.newInstance();
        return;
      case 'restart-probes':
        unit.probes.restart();
        return;
    }
  }

  async #confirm(unit: VmUnit, effect: VmEffect & { readonly type: 'confirm' }): Promise<void> {
    const { vm, confirmId, probes, timeoutMs } = effect;
    const outcomes = await unit.probes.confirm(probes, timeoutMs);
    this.#options.post({ type: 'confirmed', vm, confirmId, outcomes });
  }
}
