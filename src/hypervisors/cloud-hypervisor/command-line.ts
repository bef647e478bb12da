import { derivedMac } from '../vmm/derived-mac.js';
import type { StartPlan } from '../vmm/prove-start.js';
import type { Capabilities } from './capabilities.js';
import type { CloudHypervisorPaths, CloudHypervisorVm } from './cloud-hypervisor-vm.js';

export interface CloudHypervisorPlan extends StartPlan {
  readonly can: Capabilities;
}

/** The first of our arguments. */
export const FIRST_ARGUMENT = '--api-socket';

/** Cloud Hypervisor's argument list for a VM, without the program. */
export function commandLine(
  vm: CloudHypervisorVm,
  paths: CloudHypervisorPaths,
  { can }: CloudHypervisorPlan,
): string[] {
  const { memoryMiB, vcpus, kernel, firmware, watchdog, pvpanic, vsockCid, extraArgs } = vm.hypervisor;
  return [
    ...[FIRST_ARGUMENT, `path=${value(paths.monitorSocket)}`],
    ...['--event-monitor', `path=${value(paths.eventsFifo)}`],
    ...['--platform', `${can.uuidKey}=${vm.uuid}`],
    ...['--cpus', `boot=${vcpus}`, '--memory', `size=${memoryMiB}M`],
    ...['--console', 'off', '--serial', `file=${value(paths.consoleLog)}`],
    ...(firmware === undefined ? [] : ['--firmware', firmware]),
    ...(kernel === undefined ? [] : ['--kernel', kernel.image]),
    ...(kernel?.initrd === undefined ? [] : ['--initramfs', kernel.initrd]),
    ...(kernel === undefined || kernel.append === '' ? [] : ['--cmdline', kernel.append]),
    ...many('--disk', diskArgs(vm, can)),
    ...many('--net', netArgs(vm)),
    ...(vsockCid === undefined ? [] : ['--vsock', `cid=${vsockCid},socket=${value(paths.vsockSocket)}`]),
    ...(watchdog ? ['--watchdog'] : []),
    ...(pvpanic && can.pvpanic ? ['--pvpanic'] : []),
    ...extraArgs,
  ];
}

/** All values after one option, which every version takes. */
function many(option: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [option, ...values];
}

function diskArgs({ hypervisor: { disks } }: CloudHypervisorVm, can: Capabilities): string[] {
  return disks.map(({ path, format, readOnly }, index) => {
    const type = can.imageType ? `,image_type=${format}` : '';
    return `path=${value(path)},readonly=${readOnly ? 'on' : 'off'},id=disk${index}${type}`;
  });
}

function netArgs({ uuid, hypervisor: { interfaces } }: CloudHypervisorVm): string[] {
  return interfaces.flatMap((network, index) =>
    network.type === 'tap'
      ? [`tap=${network.device},mac=${network.mac ?? derivedMac(uuid, index)},id=net${index}`]
      : [],
  );
}

/** In its option lists a value with a comma is quoted; a quote itself cannot be said. */
function value(text: string): string {
  return /[,[\]]/.test(text) ? `"${text}"` : text;
}
