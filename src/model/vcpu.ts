/**
 * What one look at the vCPUs of a VM found, by the source it comes from.
 * `injections`: interrupts that were injected into the guest since its VMM began, over all vCPUs.
 * `registers`: whether any vCPU takes interrupts at this moment.
 * `threads`: what the host's scheduler counted for each vCPU thread.
 */
export type VcpuReading =
  | { readonly source: 'injections'; readonly total: number }
  | { readonly source: 'registers'; readonly takesInterrupts: boolean }
  | { readonly source: 'threads'; readonly threads: readonly VcpuThread[] };

/** Totals of one vCPU thread of a VMM. */
export interface VcpuThread {
  readonly tid: number;
  /** On a core, or waiting for one, ms. */
  readonly busyMs: number;
  /** Times that it gave up its core by itself. */
  readonly sleeps: number;
}
