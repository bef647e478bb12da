import { z } from 'zod';
import { given } from '../../model/given.js';
import type { DescribedVm } from './found-vm.js';

/** What of a configuration file matters here; see Firecracker's API. */
const configSchema = z.object({
  drives: z.array(z.object({ path_on_host: z.string(), is_read_only: z.boolean().optional() })).optional(),
  'machine-config': z.object({ vcpu_count: z.number(), mem_size_mib: z.number() }).partial().optional(),
  'network-interfaces': z
    .array(z.object({ host_dev_name: z.string(), guest_mac: z.string().optional() }))
    .optional(),
  vsock: z.object({ uds_path: z.string() }).nullish(),
});

function optionOf(args: readonly string[], name: string): string | undefined {
  const attached = args.find((arg) => arg.startsWith(`--${name}=`));
  if (attached !== undefined) return attached.slice(name.length + 3);
  const at = args.indexOf(`--${name}`);
  return at === -1 ? undefined : args[at + 1];
}

/** Firecracker's own default. */
const API_SOCKET = '/run/firecracker.socket';

/** Where the configuration file is, if there is one. */
export function firecrackerConfigFile(args: readonly string[]): string | undefined {
  return optionOf(args, 'config-file');
}

/** Reads the arguments of Firecracker, without the program, and its configuration file. */
export function describeFirecracker(args: readonly string[], configText: string | undefined): DescribedVm {
  const config = readConfig(configText);
  const { drives = [], vsock } = config;
  const machine = config['machine-config'];
  const name = optionOf(args, 'id');
  const api = args.includes('--no-api') ? undefined : (optionOf(args, 'api-sock') ?? API_SOCKET);
  return {
    ...given({ name }),
    ...(machine?.mem_size_mib === undefined ? {} : { memoryMiB: machine.mem_size_mib }),
    ...(machine?.vcpu_count === undefined ? {} : { vcpus: machine.vcpu_count }),
    disks: drives.map((drive) => ({ path: drive.path_on_host, readOnly: drive.is_read_only ?? false })),
    taps: (config['network-interfaces'] ?? []).map((one) => ({
      device: one.host_dev_name,
      ...given({ mac: one.guest_mac?.toLowerCase() }),
    })),
    forwards: [],
    monitors: [],
    ...given({ api }),
    ...(vsock ? { vsock: vsock.uds_path } : {}),
  };
}

function readConfig(text: string | undefined): z.infer<typeof configSchema> {
  try {
    const read = configSchema.safeParse(JSON.parse(text ?? '{}'));
    return read.success ? read.data : {};
  } catch {
    return {};
  }
}
