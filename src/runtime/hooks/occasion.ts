import type { HookEvent } from '../../model/hook.js';
import { plainText } from '../../model/plain-text.js';
import type { VmSpec } from '../../model/vm.js';

/** Why hooks are run. */
export interface HookReason {
  /** Short, never a guest's words: `vmm-dead/process-gone`, `start for anna`. */
  readonly reason: string;
  /** More of it for a person; may have a guest's words in it. */
  readonly detail?: string | undefined;
  /** The recovery or act that it belongs to. */
  readonly actionId?: string | undefined;
}

const DETAIL_CHARS = 1000;

/** One event of one VM, as hooks are told of it. */
export class HookOccasion {
  readonly event: HookEvent;
  readonly vm: VmSpec;
  readonly why: HookReason;
  readonly atMs: number;
  readonly #host: string;

  constructor(about: { event: HookEvent; vm: VmSpec; why: HookReason; atMs: number; host: string }) {
    this.event = about.event;
    this.vm = about.vm;
    this.why = about.why;
    this.atMs = about.atMs;
    this.#host = about.host;
  }

  /** $1, $2 and $3: name of the VM, reason, time. */
  get args(): readonly string[] {
    return [this.vm.name, plainText(this.why.reason), this.#time];
  }

  environment(timeoutMs: number): Record<string, string> {
    const { event, vm, why } = this;
    return {
      VMPULSE_EVENT: event,
      VMPULSE_REASON: plainText(why.reason),
      VMPULSE_DETAIL: plainText(why.detail ?? '', DETAIL_CHARS),
      VMPULSE_TIMESTAMP: this.#time,
      VMPULSE_ACTION_ID: why.actionId ?? '',
      VMPULSE_HOST: this.#host,
      VMPULSE_TIMEOUT_MS: String(timeoutMs),
      VMPULSE_VM: vm.id,
      VMPULSE_VM_NAMESPACE: vm.namespace,
      VMPULSE_VM_NAME: vm.name,
      VMPULSE_VM_UUID: vm.uuid,
      VMPULSE_VM_ADDRESS: vm.address ?? '',
      AZLIN_VM_NAME: vm.name,
      AZLIN_VM_ID: vm.uuid,
      AZLIN_EVENT: event,
      AZLIN_TIMESTAMP: this.#time,
      AZLIN_REGION: this.#host,
      AZLIN_RESOURCE_GROUP: vm.namespace,
    };
  }

  get #time(): string {
    return new Date(this.atMs).toISOString();
  }
}
