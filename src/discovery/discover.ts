import type { CallOptions } from '../model/ports.js';
import type { WorkerPool } from '../pool/index.js';
import { readAddressBook } from './address-book.js';
import { findOnHost } from './find-on-host.js';
import { type DiscoveredVm, FoundList } from './found-list.js';

export interface Discovery {
  readonly vms: readonly DiscoveredVm[];
  readonly warnings: readonly string[];
}

/** Finds the VMs of this host and says how each is watched. Changes nothing and opens no socket of a VMM. */
export async function discover(pool: Pick<WorkerPool, 'run'>, options: CallOptions): Promise<Discovery> {
  const list = new FoundList();
  const warnings = await searchInto(list, pool, options);
  return { vms: list.list(), warnings };
}

/** Searches once and takes what was found into a list. Resolves with what could not be asked. */
export async function searchInto(
  list: FoundList,
  pool: Pick<WorkerPool, 'run'>,
  options: CallOptions,
): Promise<readonly string[]> {
  const nowMs = Date.now();
  const [{ vms, warnings }, book] = await Promise.all([findOnHost(pool, options), readAddressBook(nowMs)]);
  list.update(vms, book, nowMs);
  return warnings;
}
