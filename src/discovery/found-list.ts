import { problemOfDocuments, type SourceFile } from '../config/index.js';
import type { FoundVm } from '../hypervisors/discovery/index.js';
import type { ToldAddress } from '../model/guest.js';
import type { VmSpec } from '../model/vm.js';
import { documentsOf } from './documents.js';
import { type AddressBook, addressOf, type GuestAddress } from './guest-address.js';
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

interface Entry {
  readonly name: string;
  readonly vm: FoundVm;
  readonly address: GuestAddress | undefined;
  readonly note: string | undefined;
  readonly seenAtMs: number;
}

/** How long a VM that is gone stays in the list: whoever looks should see that it has stopped, not miss it. */
const KEPT_MS = 3_600_000;

/** What was found on a host, search after search: each VM keeps its name, one that vanished stays for an hour. */
export class FoundList {
  readonly #entries = new Map<string, Entry>();

  /** Takes the result of a search. `told`: what guests said of their addresses. */
  update(
    found: readonly FoundVm[],
    book: AddressBook,
    nowMs: number,
    told: ReadonlyMap<FoundVm, readonly ToldAddress[]> = new Map(),
  ): void {
    for (const [key, { seenAtMs }] of this.#entries) {
      if (nowMs - seenAtMs > KEPT_MS) this.#entries.delete(key);
    }
    const fresh = found.filter((vm) => !this.#entries.has(keyOf(vm)));
    const names = nameVms(fresh, new Set([...this.#entries.values()].map(({ name }) => name)));
    for (const vm of found) {
      const key = keyOf(vm);
      const former = this.#entries.get(key);
      const name = former?.name ?? names[fresh.indexOf(vm)] ?? '';
      const known = addressOf(vm, book, told.get(vm));
      const [address, note] =
        typeof known === 'string' ? [undefined, known] : [known ?? former?.address, undefined];
      this.#entries.set(key, { name, vm, address, note, seenAtMs: nowMs });
    }
  }

  /** The name of one that was found before. */
  nameOf(vm: FoundVm): string | undefined {
    return this.#entries.get(keyOf(vm))?.name;
  }

  /** All of them with their documents, but for what the given VMs are already. In no two of them is the same thing. */
  list(known: readonly VmSpec[] = []): DiscoveredVm[] {
    const all = [...this.#entries.values()];
    const others = all.map(({ vm }) => vm);
    const watched = new Set(known.map(({ id }) => id));
    const taken = new Set([...watched, ...all.map(({ name }) => `default/${name}`)]);
    return all
      .filter(({ vm }) => !known.some((spec) => isSame(spec, vm)))
      .map(({ name, vm, address, note }) => {
        const free = watched.has(`default/${name}`) ? freeName(name, taken) : name;
        const written = documentsOf({ name: free, vm, address }, others);
        const problem = 'problem' in written ? written.problem : problemOf(free, written.text);
        const documents = 'text' in written && problem === undefined ? written.text : undefined;
        const notes = [note, problem].filter((text) => text !== undefined);
        return { name: free, vm, address, documents, notes };
      });
  }
}

/** As files of a configuration. */
export function filesOf(vms: readonly DiscoveredVm[]): SourceFile[] {
  return vms.flatMap(({ name, documents }) =>
    documents === undefined ? [] : [{ path: `found/${name}.yaml`, text: documents }],
  );
}

function problemOf(name: string, text: string): string | undefined {
  const problem = problemOfDocuments({ path: `found/${name}.yaml`, text });
  return problem && `it cannot be written as documents: ${problem}`;
}

/** By what a VM is the same after its VMM was started anew. */
function keyOf({ vmm, marks, monitors, api, process }: FoundVm): string {
  const [mark] = marks;
  if (mark !== undefined) return `${vmm} ${mark.option} ${mark.value.toLowerCase()}`;
  return `${vmm} ${monitors[0] ?? api ?? process?.pid}`;
}

/** Whether a VM of the configuration is this one: by record, UUID, socket or mark. */
function isSame(spec: VmSpec, vm: FoundVm): boolean {
  if (vm.owner.kind === 'vmpulse' && vm.owner.vm === spec.id) return true;
  if (vm.uuid !== undefined && vm.uuid === spec.uuid.toLowerCase()) return true;
  const marks = vm.marks.map(({ option, value }) => `${option} ${value}`.toLowerCase());
  const sockets = [...vm.monitors, vm.api, vm.agent];
  return Object.values(spec.hypervisor.adopt ?? {}).some(
    (value) => value !== undefined && (sockets.includes(value) || marks.includes(value.toLowerCase())),
  );
}

/** Another name, which is taken by that. */
function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let number = 2; taken.has(`default/${free}`); number++) free = `${name.slice(0, 59)}-${number}`;
  taken.add(`default/${free}`);
  return free;
}
