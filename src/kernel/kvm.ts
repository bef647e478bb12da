import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';
import type { CallOptions } from '../model/ports.js';
import { nativeKernel } from './loader.js';
import { callNative, checkedResult } from './native-errors.js';

const kvmInfoSchema = z.object({
  apiVersion: z.int(),
  vcpuMmapBytes: z.int(),
  capabilities: z.record(z.string(), z.int()),
});

/** What /dev/kvm says of itself. */
export interface KvmInfo {
  /** 12 on every kernel in use. */
  readonly apiVersion: number;
  /** Size of a vCPU's shared run structure. */
  readonly vcpuMmapBytes: number;
  /**
   * Answers of KVM_CHECK_EXTENSION by the kernel's names without KVM_CAP_: 0 absent, 1 present, or the number it
   * stands for. NR_VCPUS, MAX_VCPUS, MAX_VCPU_ID, NR_MEMSLOTS, USER_MEMORY, IRQCHIP, IRQFD, IOEVENTFD,
   * IMMEDIATE_EXIT, SYNC_MMU, BINARY_STATS_FD.
   */
  readonly capabilities: Readonly<Record<string, number>>;
}

/** Why a canary guest did not do what it should. */
const CANARY_REASONS = [
  'deadline',
  'wrong-output',
  'unexpected-exit',
  'syscall-failed',
  'stuck',
  'unsupported',
] as const;
export type CanaryReason = (typeof CANARY_REASONS)[number];

const canarySchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), elapsedMs: z.number(), output: z.string() }),
  z.object({
    ok: z.literal(false),
    elapsedMs: z.number(),
    output: z.string(),
    reason: z.enum(CANARY_REASONS),
    detail: z.string(),
  }),
]);
const canaryStartSchema = z.object({ id: z.int(), promise: z.instanceof(Promise) });

/** `output` is what the guest wrote to its port; `detail` is one sentence for a person. */
export type CanaryResult =
  | { readonly ok: true; readonly elapsedMs: number; readonly output: string }
  | {
      readonly ok: false;
      readonly elapsedMs: number;
      readonly output: string;
      readonly reason: CanaryReason;
      readonly detail: string;
    };

/** Asks /dev/kvm for its version and capabilities. Throws ERR_VMPULSE_SYSCALL: `errno` ENOENT, EACCES … */
export function kvmInfo(): KvmInfo {
  return checkedResult(
    kvmInfoSchema,
    callNative(() => nativeKernel().kvmInfo(), {
      ENOENT: 'load the kvm_intel or kvm_amd module, and enable virtualisation in the firmware',
      EACCES: 'run as root, or as a member of the group that owns it (usually kvm)',
    }),
  );
}

/**
 * Runs a throw-away guest of a few instructions: whether this host executes guests now. It takes a few milliseconds,
 * on a thread of its own. That it does not work, a missing /dev/kvm included, is a result and no error.
 *
 * `deadlineMs` 1 to 60000; the result comes at most 100 ms later. Rejects with ERR_VMPULSE_ARGUMENT for another
 * deadline, and with ERR_VMPULSE_ABORTED when the signal came first.
 */
export async function kvmCanary({ deadlineMs, signal }: CallOptions): Promise<CanaryResult> {
  if (signal?.aborted) throw aborted(signal);
  const { id, promise } = checkedResult(
    canaryStartSchema,
    callNative(() => nativeKernel().kvmCanary(deadlineMs)),
  );
  const cancel = () => nativeKernel().kvmCanaryCancel(id);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const result = await promise;
    if (signal?.aborted) throw aborted(signal);
    return checkedResult(canarySchema, result);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function aborted(signal: AbortSignal): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ABORTED', 'the KVM canary was withdrawn', { cause: signal.reason });
}
