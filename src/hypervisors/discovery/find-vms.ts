import { z } from 'zod';
import { Deadline } from '../../model/deadline.js';
import { errorMessage, isMissingFile, VmpulseError } from '../../model/errors.js';
import type { CallOptions } from '../../model/ports.js';
import { type FoundVm, foundVmSchema } from './found-vm.js';
import { LIST_DOMAINS, mergeDomains, parseDomains } from './libvirt-domains.js';
import type { FindVmsTask } from './worker.js';

/** Works from src/ and from dist/: worker modules are always the built ones. */
const WORKER = new URL('../../../dist/hypervisors/discovery/worker.js', import.meta.url);
const VIRSH_MS = 3_000;

export interface FindVmsHost {
  runInPool(worker: URL, args: unknown, options: CallOptions): Promise<unknown>;
  /** Runs a program that only tells something; rejects where it is missing. Unset: libvirt is not asked. */
  run?(
    argv: readonly string[],
    options: CallOptions,
  ): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Default `/proc`. */
  readonly proc?: string;
}

/** What is on this host, and what could not be asked. */
export interface FoundVms {
  readonly vms: readonly FoundVm[];
  readonly warnings: readonly string[];
}

/**
 * Finds the VMs of this host: processes of QEMU, Cloud Hypervisor and Firecracker, and libvirt's domains. Opens no
 * socket of any of them. Processes of other users are seen as far as /proc lets this one look.
 */
export async function findVms(host: FindVmsHost, options: CallOptions): Promise<FoundVms> {
  const deadline = new Deadline('the search for VMs', options);
  const task: FindVmsTask = { proc: host.proc ?? '/proc' };
  const [scanned, domains] = await Promise.all([
    host.runInPool(WORKER, task, deadline.step()),
    askLibvirt(host, deadline),
  ]);
  const processes = z.array(foundVmSchema).safeParse(scanned);
  if (!processes.success) {
    throw new VmpulseError(
      'ERR_VMPULSE_INTERNAL',
      `the search gave something else: ${processes.error.message}`,
    );
  }
  if (typeof domains === 'string') return { vms: processes.data, warnings: [domains] };
  return { vms: mergeDomains(processes.data, domains), warnings: [] };
}

/** A text: why it did not answer although it is there. */
async function askLibvirt(
  host: FindVmsHost,
  deadline: Deadline,
): Promise<ReturnType<typeof parseDomains> | string> {
  if (host.run === undefined) return [];
  try {
    const { code, stdout, stderr } = await host.run(LIST_DOMAINS, deadline.step(VIRSH_MS));
    if (code === 0) return parseDomains(stdout);
    return `libvirt was not asked: ${stderr.trim().split('\n', 1)[0]}`;
  } catch (error) {
    return isMissingFile(error) ? [] : `libvirt was not asked: ${errorMessage(error)}`;
  }
}
