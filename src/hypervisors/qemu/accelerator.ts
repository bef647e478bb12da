import { access, mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Deadline } from '../../model/deadline.js';
import type { DriverHost } from '../host.js';
import type { Accelerator } from './command-line.js';

/** A VM of QEMU's, whoever starts it. */
export interface AcceleratedVm {
  readonly uuid: string;
  readonly hypervisor: { readonly accel: 'auto' | 'kvm' | 'tcg' };
}

const CANARY_DEADLINE_MS = 2_000;
/** The flags of the first CPU are within this. */
const CPUINFO_BYTES = 16 * 1024;

export type AcceleratorChoice = { readonly accelerator: Accelerator } | { readonly problem: string };

/** Remembers which VMs have run on KVM: they never fall back to TCG, not even after a boot of the host. */
export class Accelerators {
  readonly #host: Pick<DriverHost, 'kvmCanary'>;
  readonly #folder: string;

  constructor(host: Pick<DriverHost, 'kvmCanary'>, stateDir: string) {
    this.#host = host;
    this.#folder = join(stateDir, 'ran-on-kvm');
  }

  async choose(vm: AcceleratedVm, deadline: Deadline): Promise<AcceleratorChoice> {
    const wanted = vm.hypervisor.accel;
    if (wanted === 'tcg') return { accelerator: 'tcg' };
    const reason = await this.#whyNotKvm(wanted === 'auto', deadline);
    if (reason === undefined) return { accelerator: 'kvm' };
    if (wanted === 'kvm')
      return { problem: `accelerator: KVM is asked for, and ${reason}; make KVM work or set accel: auto` };
    const ranOnKvm = await deadline.race(
      access(this.#marker(vm)).then(
        () => true,
        () => false,
      ),
    );
    if (!ranOnKvm) return { accelerator: 'tcg' };
    return {
      problem: `accelerator: the VM ran on KVM and does not fall back to TCG, and ${reason}; make KVM work, or set accel: tcg`,
    };
  }

  /** To be called before a start: what has been tried on KVM may have run on it. */
  async remember(vm: AcceleratedVm, accelerator: Accelerator): Promise<void> {
    if (accelerator === 'tcg') return;
    await mkdir(dirname(this.#marker(vm)), { recursive: true, mode: 0o700 });
    await writeFile(this.#marker(vm), '');
  }

  #marker(vm: AcceleratedVm): string {
    return join(this.#folder, vm.uuid);
  }

  async #whyNotKvm(auto: boolean, deadline: Deadline): Promise<string | undefined> {
    // A nested host may run the canary's few instructions and yet no Linux guest.
    if (auto && !(await hasVirtualization(deadline))) return 'the CPU shows neither vmx nor svm';
    const canary = await this.#host.kvmCanary(deadline.step(CANARY_DEADLINE_MS));
    return canary.ok ? undefined : `the canary guest says: ${canary.reason}`;
  }
}

/** Whether the CPU can run guests in hardware; only x86 says so in its flags. */
async function hasVirtualization(deadline: Deadline): Promise<boolean> {
  if (process.arch !== 'x64' && process.arch !== 'ia32') return true;
  const file = await deadline.race(open('/proc/cpuinfo'));
  try {
    const { buffer, bytesRead } = await deadline.race(
      file.read(Buffer.alloc(CPUINFO_BYTES), 0, CPUINFO_BYTES, 0),
    );
    return /^flags\s*:.*\b(vmx|svm)\b/m.test(buffer.toString('latin1', 0, bytesRead));
  } finally {
    await file.close();
  }
}
