import type { FoundVm } from '../hypervisors/discovery/index.js';
import type { CallOptions } from '../model/ports.js';
import type { WorkerPool } from '../pool/index.js';
import { readAddressBook } from './address-book.js';
import { documentsOf } from './documents.js';
import { findOnHost } from './find-on-host.js';
import { addressOf, type GuestAddress } from './guest-address.js';
import { nameVms } from './names.js';

/** A VM of this host, its name here, and the documents that watch it. */
export interface DiscoveredVm {
  readonly name: string;
  readonly vm: FoundVm;
  readonly address: GuestAddress | undefined;
  /** YAML; unset: it cannot be watched. */
  readonly documents: string | undefined;
  /** What a person should know. */
  readonly notes: readonly string[];
}

export interface Discovery {
  readonly vms: readonly DiscoveredVm[];
  readonly warnings: readonly string[];
}

/** Finds the VMs of this host and says how each is watched. Changes nothing and opens no socket of a VMM. */
export async function discover(pool: Pick<WorkerPool, 'run'>, options: CallOptions): Promise<Discovery> {
  const [{ vms, warnings }, book] = await Promise.all([
    findOnHost(pool, options),
    readAddressBook(Date.now()),
  ]);
  const names = nameVms(vms);
  const described = vms.map((vm, i): DiscoveredVm => {
    const name = names[i] ?? '';
    const known = addressOf(vm, book);
    const address = typeof known === 'string' ? undefined : known;
    const written = documentsOf({ name, vm, address }, vms);
    const notes = [
      ...(typeof known === 'string' ? [known] : []),
      ...('problem' in written ? [written.problem] : []),
    ];
    return { name, vm, address, documents: 'text' in written ? written.text : undefined, notes };
  });
  return { vms: described, warnings };
}
