import { z } from 'zod';

/** Who answers for a VM: whoever started it may also stop and start it. */
const owner = z.discriminatedUnion('kind', [
  /** A record of vmpulse names the process. */
  z.object({ kind: z.literal('vmpulse'), vm: z.string() }),
  z.object({ kind: z.literal('libvirt'), domain: z.string() }),
  z.object({ kind: z.literal('proxmox'), id: z.string() }),
  z.object({ kind: z.literal('container'), scope: z.string() }),
  z.object({ kind: z.literal('systemd'), unit: z.string() }),
  /** Nobody else: a person's shell, or a program of the same kind. */
  z.object({ kind: z.literal('user'), uid: z.number() }),
]);

const socket = z.string();

/** What a command line says of a VM. Paths are absolute, as the host has them. */
const described = z.object({
  /** As the VMM was given it; undefined: it has none. */
  name: z.string().optional(),
  uuid: z.string().optional(),
  memoryMiB: z.number().optional(),
  vcpus: z.number().optional(),
  disks: z.array(z.object({ path: z.string(), format: z.string().optional(), readOnly: z.boolean() })),
  taps: z.array(z.object({ device: z.string().optional(), mac: z.string().optional() })),
  forwards: z.array(z.object({ hostAddress: z.string(), hostPort: z.number(), guestPort: z.number() })),
  /** QMP monitors. */
  monitors: z.array(socket),
  /** Of the QEMU guest agent. */
  agent: socket.optional(),
  /** REST API. */
  api: socket.optional(),
  /** Through which host programs reach the guest's vsock ports. */
  vsock: socket.optional(),
  /** File that the serial console is written to. */
  console: z.string().optional(),
  pidFile: z.string().optional(),
});

/** An option and a part of its value by which the process is known again, the surest first. */
const mark = z.object({ option: z.string(), value: z.string() });

export const foundVmSchema = described.extend({
  vmm: z.enum(['qemu', 'cloud-hypervisor', 'firecracker']),
  /** Unset: a domain of libvirt that does not run, or whose process cannot be seen. */
  process: z.object({ pid: z.number(), startTimeTicks: z.number() }).optional(),
  /** Program, first of its command line. */
  program: z.string().optional(),
  marks: z.array(mark),
  /** Those of its monitors, API and agent sockets that are there. */
  present: z.array(socket),
  owner,
});

export type Mark = z.infer<typeof mark>;
export type Owner = z.infer<typeof owner>;
export type DescribedVm = z.infer<typeof described>;
/** A VM that is on this host, whoever runs it. */
export type FoundVm = z.infer<typeof foundVmSchema>;

export const NOTHING_KNOWN: DescribedVm = { disks: [], taps: [], forwards: [], monitors: [] };

/** Owners beside vmpulse and a person: their VMs are watched and never acted on, their sockets not opened. */
export function isForeign(found: Owner): boolean {
  return found.kind !== 'user' && found.kind !== 'vmpulse';
}
