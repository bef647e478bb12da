import type { Hook, HookEvent } from '../../model/hook.js';
import type { VmId, VmSpec } from '../../model/vm.js';
import type { HookRun } from './hook-log.js';
import type { HookReason } from './occasion.js';
import type { HookResult } from './run-hook.js';

/** What the runtime asks of hooks. */
export interface HookPort {
  /**
   * Runs the pre-start hooks. Resolves with why the VM may not be started (the first that failed, was refused or did not
   * end in time), or undefined. Never rejects; what the signal withdraws counts as failed.
   */
  beforeStart(vm: VmSpec, why: HookReason, signal: AbortSignal): Promise<string | undefined>;
  /** Runs the pre-stop hooks. Whatever becomes of them, the stop goes on. Never rejects. */
  beforeStop(vm: VmSpec, why: HookReason, signal: AbortSignal): Promise<void>;
  /** Has the hooks of something that happened run, beside everything else. */
  note(event: HookEvent, vm: VmSpec, why: HookReason): void;
}

/** A hook as it is listed. */
export interface HookView {
  /** Of one that was added, for its removal; null: a document says it. */
  readonly id: string | null;
  /** Null: for every VM. */
  readonly vm: VmId | null;
  readonly event: HookEvent;
  /** As a person would type it. */
  readonly program: string;
  readonly user: string | null;
  readonly timeoutMs: number;
  /** `document`: that of the VM; `configuration`: that of the daemon; `added`: by a person, while it ran. */
  readonly origin: 'document' | 'configuration' | 'added';
  readonly author: string | null;
  readonly addedAtMs: number | null;
}

export interface NewHook {
  /** Null: for every VM. */
  readonly vm: VmId | null;
  readonly hook: Hook;
  readonly author: string;
}

/** One run for a test, with what it wrote. */
export interface HookRunView extends HookResult {
  readonly program: string;
}

/** What persons do with hooks. */
export interface HookApi {
  /** Those of a VM in the order in which they are run, with those of every VM; undefined: all that there are. */
  list(vm: VmId | undefined): readonly HookView[];
  /** Rejects with ERR_VMPULSE_VM_UNKNOWN, ERR_VMPULSE_ARGUMENT for one that is there, ERR_VMPULSE_STORAGE. */
  add(hook: NewHook): Promise<HookView>;
  /** Rejects with ERR_VMPULSE_ARGUMENT, ERR_VMPULSE_STORAGE. */
  remove(options: { id: string; author: string }): Promise<void>;
  /** Runs the hooks of an event as if it happened, all of them. Rejects with ERR_VMPULSE_ARGUMENT where there are none. */
  test(options: {
    vm: VmId;
    event: HookEvent;
    author: string;
    signal: AbortSignal;
  }): Promise<readonly HookRunView[]>;
  /** The last runs, oldest first. Rejects with ERR_VMPULSE_STORAGE. */
  logs(query: { vm: VmId | undefined; limit: number }): Promise<readonly HookRun[]>;
}
