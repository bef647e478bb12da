import { derivedMac } from '../vmm/derived-mac.js';
import type { FirecrackerPaths, FirecrackerVm } from './firecracker-vm.js';

/** The first of our arguments. */
export const FIRST_ARGUMENT = '--api-sock';

/** Firecracker's argument list for a VM, without the program. */
export function commandLine(vm: FirecrackerVm, paths: FirecrackerPaths): string[] {
  return [
    ...[FIRST_ARGUMENT, paths.monitorSocket],
    ...['--id', vm.uuid],
    ...['--log-path', paths.log, '--config-file', paths.config],
    ...vm.hypervisor.extraArgs,
  ];
}

/** What `--config-file` says: the microVM is built of it and started. */
export function vmConfig(vm: FirecrackerVm, paths: FirecrackerPaths): Readonly<Record<string, unknown>> {
  const { memoryMiB, vcpus, kernel, disks, interfaces, vsockCid } = vm.hypervisor;
  return {
    'boot-source': {
      kernel_image_path: kernel?.image,
      ...(kernel?.initrd === undefined ? {} : { initrd_path: kernel.initrd }),
      ...(kernel?.append ? { boot_args: kernel.append } : {}),
    },
    drives: disks.map(({ path, readOnly }, index) => ({
      drive_id: `disk${index}`,
      path_on_host: path,
      is_read_only: readOnly,
      // It would add root= to the kernel's command line; whoever writes one, means it.
      is_root_device:
        index === 0 && kernel?.initrd === undefined && !/(^|\s)root=/.test(kernel?.append ?? ''),
    })),
    'network-interfaces': interfaces.flatMap((network, index) =>
      network.type === 'tap'
        ? [
            {
              iface_id: `net${index}`,
              host_dev_name: network.device,
              guest_mac: network.mac ?? derivedMac(vm.uuid, index),
            },
          ]
        : [],
    ),
    'machine-config': { vcpu_count: vcpus, mem_size_mib: memoryMiB },
    ...(vsockCid === undefined ? {} : { vsock: { guest_cid: vsockCid, uds_path: paths.vsockSocket } }),
    metrics: { metrics_path: paths.metrics },
  };
}
