import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deadline } from '../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { ActVerb } from '../policy/index.js';
import type { ActRequest, ActTarget, ActWork } from '../runtime/person-acts.js';
import {
  pauseVm,
  requireStart,
  resetVm,
  resumeVm,
  snapshotVm,
  startVm,
  stopVm,
} from '../runtime/vm-verbs.js';
import { documentsOf } from './create-documents.js';
import type { Documents } from './documents.js';
import type { CreateAction, PlanAction } from './plan.js';
import type { ActionContext } from './plan-executor.js';
import { removeDisks } from './remove-disks.js';
import { removeTaps } from './remove-taps.js';

/** What the life cycle needs of the runtime; Vmpulse has it. */
export interface LifecycleRuntime {
  resolveVm(text: string): VmId;
  spec(vm: VmId): VmSpec;
  /** How all VMs that are watched are to be. */
  specs(): readonly VmSpec[];
  act(request: ActRequest, work: ActWork): Promise<string>;
}

export interface OperationsOptions {
  readonly runtime: LifecycleRuntime;
  readonly documents: Documents;
  readonly runDir: string;
  /** Makes the folder of a VM that is about to be made: what a daemon that dies now leaves is found by it. */
  readonly creating: (vm: VmId) => Promise<void>;
  /** Removes what is kept of a VM that was deleted. */
  readonly forget: (vm: VmId) => Promise<void>;
}

/** Longest time of each, ms, where the action says none; a graceful stop has that of its VM on top. */
const USUAL_MS: Readonly<Record<PlanAction['operation'], number>> = {
  CREATE: 600_000,
  START: 120_000,
  STOP: 30_000,
  RESTART: 180_000,
  RESET: 30_000,
  PAUSE: 30_000,
  RESUME: 30_000,
  SNAPSHOT: 600_000,
  RECREATE: 180_000,
  DELETE: 60_000,
};

const STOPS: ReadonlySet<ActVerb> = new Set(['stop', 'restart', 'recreate', 'delete']);

/** Carries out the actions of plans. Each looks first, so that it can be done again. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #runtime: LifecycleRuntime;
  readonly #documents: Documents;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#documents = options.documents;
  }

  async carryOut(action: PlanAction, context: ActionContext): Promise<string> {
    switch (action.operation) {
      case 'CREATE':
        return this.#create(action, context);
      case 'START':
        return this.#act('start', action, context, startVm);
      case 'STOP':
        return this.#act('stop', action, context, (target, deadline) =>
          stopVm(target, action.force ? 'force' : 'graceful', deadline),
        );
      case 'RESTART':
        return this.#act('restart', action, context, async (target, deadline) => {
          await requireStart(target, deadline);
          await target.beforeStart(deadline);
          const ended = await stopVm(target, action.force ? 'force' : 'graceful', deadline);
          return `${ended}; ${await startVm(target, deadline)}`;
        });
      case 'RESET':
        return this.#act('reset', action, context, resetVm);
      case 'PAUSE':
        return this.#act('pause', action, context, pauseVm);
      case 'RESUME':
        return this.#act('resume', action, context, resumeVm);
      case 'SNAPSHOT': {
        const name = action.snapshot_name ?? action.operation_id.replaceAll(/[^A-Za-z0-9._-]/g, '-');
        return this.#act('snapshot', action, context, (target, deadline) =>
          snapshotVm(target, name, deadline),
        );
      }
      case 'RECREATE':
        return this.#act('recreate', action, context, async (target, deadline) => {
          await requireStart(target, deadline);
          // A VM that may not be started is not stopped for it.
          await target.beforeStart(deadline);
          const ended = await this.#end(target, action, deadline);
          await rm(join(this.#options.runDir, 'vms', target.spec.id), { recursive: true, force: true });
          return `${ended}; ${await startVm(target, deadline)}`;
        });
      case 'DELETE':
        return this.#delete(action, context);
    }
  }

  /** What carrying it out would do; throws what is wrong with it already. */
  async preview(action: PlanAction): Promise<string> {
    if (action.operation !== 'CREATE') {
      const vm = this.#runtime.resolveVm(action.vm_id);
      if (action.operation === 'DELETE') await this.#refuseKeptByHand(vm);
      return `${action.operation} ${vm}`;
    }
    const { id, file } = documentsOf(action);
    const { vms } = await this.#documents.apply({ files: [file], prune: false, dryRun: true });
    return vms.added.includes(id) ? `CREATE ${id}` : `nothing: ${id} is there already`;
  }

  async #create(action: CreateAction, context: ActionContext): Promise<string> {
    const { id, file } = documentsOf(action);
    const request = { files: [file], prune: false };
    const would = await this.#documents.apply({ ...request, dryRun: true });
    if (would.vms.changed.some((vm) => vm.id === id)) {
      const text = `VM ${id} is there already, with other documents; change it with vmpulse apply -f`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    }
    if (would.vms.added.includes(id)) await this.#options.creating(id);
    await this.#documents.apply({ ...request, dryRun: false });
    const made = would.vms.added.includes(id) ? `${id} was made` : `${id} is there already`;
    if (!action.start) return made;
    return `${made}; ${await this.#act('start', { ...action, vm_id: id }, context, startVm)}`;
  }

  /** Ends the VM and forgets it. What a person keeps by hand stays, and then nothing is done. */
  async #delete(
    action: Extract<PlanAction, { operation: 'DELETE' }>,
    context: ActionContext,
  ): Promise<string> {
    let vm: VmId;
    try {
      vm = this.#runtime.resolveVm(action.vm_id);
    } catch (error) {
      // An action that a daemon died in, or that somebody else has done.
      if (isVmpulseError(error, 'ERR_VMPULSE_VM_UNKNOWN')) return 'there is no such VM';
      throw error;
    }
    await this.#refuseKeptByHand(vm);
    return this.#act('delete', action, context, async (target, deadline) => {
      const ended = await this.#end(target, action, deadline);
      const taps = removeTaps(target.spec);
      await deadline.race(this.#documents.remove(vm));
      await this.#options.forget(vm);
      const also = taps.length === 0 ? '' : `; TAP devices removed: ${taps.join(', ')}`;
      return `${ended}${also}; ${vm} was deleted`;
    });
  }

  async #refuseKeptByHand(vm: VmId): Promise<void> {
    const byHand = await this.#documents.keptByHand(vm);
    if (byHand.length === 0) return;
    const text = `${vm} is kept by hand at ${byHand.join(', ')}; stop it, and remove it there`;
    throw new VmpulseError('ERR_VMPULSE_CONFIG', text);
  }

  /** Stops the VM and, where that is wanted, removes its disks: before its documents, which say where they are. */
  async #end(
    target: ActTarget,
    action: { readonly force: boolean; readonly delete_disks: boolean },
    deadline: Deadline,
  ): Promise<string> {
    const ended = await stopVm(target, action.force ? 'force' : 'graceful', deadline);
    if (!action.delete_disks) return ended;
    const removed = await deadline.race(removeDisks(target.spec, this.#runtime.specs()));
    return `${ended}; disks removed: ${removed.join(', ') || 'none'}`;
  }

  #act(verb: ActVerb, action: PlanAction, context: ActionContext, work: ActWork): Promise<string> {
    const vm = this.#runtime.resolveVm(action.vm_id);
    const graceMs = STOPS.has(verb) ? this.#runtime.spec(vm).recovery.gracefulStopMs : 0;
    const seconds = action.timeout_seconds;
    const deadlineMs = seconds === undefined ? USUAL_MS[action.operation] + graceMs : seconds * 1000;
    return this.#runtime.act({ vm, verb, deadlineMs, ...context }, work);
  }
}
