import type { FoundVm } from '../hypervisors/discovery/index.js';
import { given } from '../model/given.js';
import type { ToldAddress } from '../model/guest.js';
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

/** Asks the guest of a VM that is watched under this name for its addresses. */
export type AskAddresses = (name: string, options: CallOptions) => Promise<readonly ToldAddress[]>;

const ASK_MS = 2_000;

/** Searches once and takes what was found into a list. Resolves with what could not be asked. `ask`: default nobody. */
export async function searchInto(
  list: FoundList,
  pool: Pick<WorkerPool, 'run'>,
  options: CallOptions,
  ask?: AskAddresses,
): Promise<readonly string[]> {
  const nowMs = Date.now();
  const [{ vms, warnings }, book] = await Promise.all([findOnHost(pool, options), readAddressBook(nowMs)]);
  const told = ask === undefined ? undefined : await toldBy(list, vms, ask, options);
  list.update(vms, book, nowMs, told);
  return warnings;
}

/** One guest that does not answer keeps no other from being found. */
async function toldBy(
  list: FoundList,
  vms: readonly FoundVm[],
  ask: AskAddresses,
  { deadlineMs, signal }: CallOptions,
): Promise<Map<FoundVm, readonly ToldAddress[]>> {
  const call = { deadlineMs: Math.min(ASK_MS, deadlineMs), ...given({ signal }) };
  const answers = vms.map(async (vm) => {
    const name = vm.taps.length === 0 ? undefined : list.nameOf(vm);
    const told = name === undefined ? [] : await ask(name, call).catch(() => []);
    return [vm, told] as const;
  });
  return new Map(await Promise.all(answers));
}
