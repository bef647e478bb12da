import { readFileSync } from 'node:fs';
import { isAlive, processesNaming } from '../demo/processes.mjs';
import { LAB_GUEST } from '../lab/vm.mjs';

const LOOK_MS = 500;
const ASK_MS = 3_000;

/**
 * Looks at every VM again and again, from outside: the boot id that its guest tells, and the processes that name its
 * UUID. Whatever changes is an act of somebody; `onChange(vm, change, atMs)` hears of each.
 */
export class Observer {
  #seen = new Map();
  #stopped = false;
  #onChange;
  #done;

  constructor(vms, onChange) {
    this.#onChange = onChange;
    this.#done = Promise.all(vms.map((vm) => this.#watch(vm)));
  }

  /** The boot and the VMM that were seen last; undefined while there was none of both. */
  of(vm) {
    const seen = this.#seen.get(vm.id);
    return seen?.bootId === undefined || seen.vmm === undefined ? undefined : seen;
  }

  async stop() {
    this.#stopped = true;
    await this.#done;
  }

  async #watch(vm) {
    while (!this.#stopped) {
      await this.#look(vm);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #look(vm) {
    const seen = this.#seen.get(vm.id) ?? {};
    this.#seen.set(vm.id, seen);
    const vmms = vmmsOf(vm);
    if (vmms.length > 1)
      this.#onChange(vm, { kind: 'two VMMs', text: vmms.map(({ pid }) => pid).join(', ') });
    const [vmm] = vmms;
    if (vmm !== undefined) {
      if (seen.vmm !== undefined && !same(seen.vmm, vmm))
        this.#onChange(vm, { kind: 'vmm', text: `${vmm.pid}` });
      seen.vmm = vmm;
    }
    const bootId = await bootIdOf(vm);
    if (bootId === undefined) return;
    if (seen.bootId !== undefined && seen.bootId !== bootId)
      this.#onChange(vm, { kind: 'boot', text: bootId });
    seen.bootId = bootId;
  }
}

/** Only QEMU: a process that is about to become it names the UUID for a moment, too. */
function vmmsOf(vm) {
  return processesNaming(vm.uuid).filter(
    (found) => isAlive(found) && nameOf(found.pid).startsWith('qemu-system'),
  );
}

function nameOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    return '';
  }
}

function same(a, b) {
  return a.pid === b.pid && a.startTimeTicks === b.startTimeTicks;
}

async function bootIdOf(vm) {
  try {
    const response = await fetch(`${vm.url}${LAB_GUEST.bootIdPath}`, {
      signal: AbortSignal.timeout(ASK_MS),
      headers: { connection: 'close' },
    });
    return response.status === 200 ? (await response.json()).bootId : undefined;
  } catch {
    return undefined;
  }
}
