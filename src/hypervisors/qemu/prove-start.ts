import { createServer } from 'node:net';
import type { Deadline } from '../../model/deadline.js';
import { errnoOf } from '../../model/errors.js';
import type { FoundVmm } from '../vmm/find-vmm.js';
import { type ProofContext, proveStart, type StartPlan } from '../vmm/prove-start.js';
import type { Accelerators } from './accelerator.js';
import { forwardArg, type HostChoices, tcgCacheMiB } from './command-line.js';
import type { QemuVm } from './qemu-vm.js';

/** What QEMU itself needs beside the guest's memory. */
const VMM_OVERHEAD_MIB = 64;

export type QemuPlan = StartPlan & HostChoices;

/** As proveStart, with what is QEMU's own: accelerator and forwarded ports. */
export async function proveQemuStart(
  vm: QemuVm,
  context: ProofContext,
  accelerators: Accelerators,
  deadline: Deadline,
): Promise<QemuPlan> {
  const { kernel, memoryMiB } = vm.hypervisor;
  const [choice, portProblems] = await Promise.all([
    accelerators.choose(vm, deadline),
    forwardProblems(vm, context.replacing, deadline),
  ]);
  const accelerator = 'accelerator' in choice ? choice.accelerator : 'tcg';
  const own = {
    problems: [...('problem' in choice ? [choice.problem] : []), ...portProblems],
    files: { kernel: kernel?.image, initrd: kernel?.initrd },
    devices: accelerator === 'kvm' ? ['/dev/kvm'] : [],
    overheadMiB: VMM_OVERHEAD_MIB + (accelerator === 'tcg' ? tcgCacheMiB(memoryMiB) : 0),
  };
  return { ...(await proveStart(vm, context, own, deadline)), accelerator };
}

async function forwardProblems(
  vm: QemuVm,
  replacing: FoundVmm | undefined,
  deadline: Deadline,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const network of vm.hypervisor.interfaces) {
    if (network.type !== 'user') continue;
    for (const forward of network.forwards) {
      // The old VMM's own listener goes with it.
      if (replacing?.argv.some((arg) => arg.includes(forwardArg(forward)))) continue;
      const reason = await deadline.race(whyNotListen(forward.hostAddress, forward.hostPort));
      if (reason === undefined) continue;
      problems.push(
        `network: cannot listen on ${forward.hostAddress}:${forward.hostPort} (${reason}); free the port or forward another`,
      );
    }
  }
  return problems;
}

/** Only a listener can tell in every case; it is closed before anything could be served on it. */
function whyNotListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => resolve(errnoOf(error) || error.message));
    server.listen({ host, port, exclusive: true, backlog: 1 }, () => server.close(() => resolve(undefined)));
  });
}
