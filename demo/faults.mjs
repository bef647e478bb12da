import { processIdentity } from './processes.mjs';

/**
 * The faults of the demonstration: how each is made, what vmpulse must call it, the remedy it must choose, and what
 * that remedy changes. `took`: seen from outside, the fault is there, so that "healed" cannot be said before. `newBoot`: the guest's boot_id; `newVmm`: the VMM's process.
 */
export const FAULTS = [
  {
    name: 'web server killed',
    inject: (vm) => askGuest(vm, 'kill-httpd'),
    took: async (vm) => !(await serves(vm)),
    diagnosis: 'service',
    cause: 'service-unreachable',
    remedy: 'restart-service',
    newBoot: false,
    newVmm: false,
  },
  {
    name: 'guest kernel panics',
    inject: (vm) => askGuest(vm, 'panic'),
    took: async (vm) => !(await serves(vm)),
    diagnosis: 'guest-hung',
    cause: 'guest-panicked',
    remedy: 'reset',
    newBoot: true,
    newVmm: false,
  },
  {
    name: 'watchdog not fed',
    inject: (vm) => askGuest(vm, 'watchdog-stop'),
    // The guest goes on until its watchdog fires, seconds later.
    took: async (vm) => !(await serves(vm)),
    diagnosis: 'guest-hung',
    cause: 'watchdog-expired',
    remedy: 'reset',
    newBoot: true,
    newVmm: false,
  },
  {
    name: 'VMM killed (SIGKILL)',
    inject: (vm) => signal(vm, 'SIGKILL'),
    took: (vm) => processIdentity(vm.vmm.pid)?.startTimeTicks !== vm.vmm.startTimeTicks,
    diagnosis: 'vmm-dead',
    cause: 'process-gone',
    remedy: 'start',
    newBoot: true,
    newVmm: true,
  },
  {
    name: 'VMM stopped (SIGSTOP)',
    inject: (vm) => signal(vm, 'SIGSTOP'),
    took: (vm) => processIdentity(vm.vmm.pid)?.state === 'T',
    diagnosis: 'vmm-stopped',
    cause: 'process-stopped',
    remedy: 'continue-process',
    newBoot: false,
    newVmm: false,
  },
];

/** The guest's own fault CGI; it answers before it does it. */
async function askGuest(vm, fault) {
  const response = await fetch(`${vm.url}/cgi-bin/fault?do=${fault}`, { signal: AbortSignal.timeout(5000) });
  if (response.status !== 200)
    throw new Error(`${vm.id}: the guest refused the fault ${fault}: HTTP ${response.status}`);
  await response.text();
}

function signal(vm, name) {
  const seen = processIdentity(vm.vmm.pid);
  if (seen?.startTimeTicks !== vm.vmm.startTimeTicks)
    throw new Error(`${vm.id}: process ${vm.vmm.pid} is not its VMM any more`);
  process.kill(vm.vmm.pid, name);
}

async function serves(vm) {
  try {
    const response = await fetch(`${vm.url}/healthz`, { signal: AbortSignal.timeout(500) });
    await response.text();
    return response.status === 200;
  } catch {
    return false;
  }
}
