import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { CloudHypervisorSpec } from '../../src/model/hypervisors/cloud-hypervisor.js';
import type { FirecrackerSpec } from '../../src/model/hypervisors/firecracker.js';
import type { LibvirtSpec } from '../../src/model/hypervisors/libvirt.js';
import type { QemuSpec } from '../../src/model/hypervisors/qemu.js';
import type { DriverName, HypervisorSpec } from '../../src/model/vm.js';
import { buildFakePrograms, giveOrder } from '../fakes/programs/build.js';
import { PrivateLibvirtd, whyNoLibvirt } from './libvirtd.js';
import { whyNoKvm, whyNoQemu } from './qemu-program.js';
import { writeTinyGuest } from './tiny-guest.js';

/** A program that a driver is tested against. */
export interface Subject {
  readonly name: string;
  readonly driver: DriverName;
  /** Why it cannot be tested here. */
  readonly skip: string | undefined;
  /** A VM that does not heed the power button, where the guest can be told not to. */
  spec(folder: string, changes: Partial<HypervisorSpec>): HypervisorSpec;
  /** Brings up what its VMs need beside their program; the result ends it. */
  readonly prepare?: () => Promise<() => Promise<void>>;
  /** What the error of a start says where the program refused it; by default that it ended, and its log. */
  readonly refusal?: RegExp;
  /** The monitor's socket in the VM's folder; or, where that is elsewhere, another file that a VMM leaves there. */
  readonly socket: string;
  /** Occupies the monitor as other clients would; the result lets go of it. */
  hold(socket: string): Promise<() => void>;
  /** Whether it can reset its guest, and pauses are told as events. */
  readonly resets: boolean;
  readonly tellsPauses: boolean;
  /** Whether it opens its disks, as the fakes do not. */
  readonly holdsDisks: boolean;
  /** Looks whether the program writes all that its driver counts by; undefined: the driver asks, and looks at the answer. */
  readonly countsTruly?: (socket: string) => void;
  /** Whether the guest itself can heed a request to stop. */
  readonly heeds: boolean;
  /** Lets the answer to the next reset be lost; undefined where this cannot be caused. */
  readonly loseAnswer?: (socket: string) => Promise<void>;
  /** The VMM says that the VM was shut down, though nobody asked for it; undefined where this cannot be caused. */
  readonly misreport?: (socket: string) => Promise<void>;
}

async function connected(path: string): Promise<Socket> {
  const socket = createConnection(path);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** As many clients as an API serves, each with a request that it has sent: they are served, and stay. */
async function fillApi(path: string): Promise<() => void> {
  const clients = await Promise.all(Array.from({ length: 10 }, () => connected(path)));
  const served = clients.map((client) => new Promise((resolve) => client.once('data', resolve)));
  for (const client of clients) client.write('GET /none HTTP/1.1\r\nHost: x\r\n\r\n');
  await Promise.all(served);
  return () => {
    for (const client of clients) client.destroy();
  };
}

const common = { memoryMiB: 64, vcpus: 1, disks: [], interfaces: [], guestAgent: false, extraArgs: [] };

const qemu: Subject = {
  name: 'QEMU',
  driver: 'qemu',
  skip: whyNoQemu(),
  spec: (_folder, changes): QemuSpec => ({
    ...common,
    driver: 'qemu',
    binary: 'qemu-system-x86_64',
    machine: 'pc',
    accel: 'tcg',
    pvpanic: false,
    ...(changes as Partial<QemuSpec>),
  }),
  socket: 'qmp.sock',
  hold: async (path) => {
    const client = await connected(path);
    await new Promise((resolve) => client.once('data', resolve));
    return () => client.destroy();
  },
  resets: true,
  tellsPauses: true,
  holdsDisks: true,
  heeds: false,
};

/** QEMU under a libvirtd of the test's own. */
function libvirt(folder: string): Subject {
  const daemonFolder = join(folder, 'lv');
  const libvirtd = new PrivateLibvirtd(daemonFolder);
  return {
    name: 'libvirt',
    driver: 'libvirt',
    skip: whyNoQemu() ?? whyNoLibvirt(),
    prepare: async () => {
      mkdirSync(daemonFolder, { recursive: true });
      await libvirtd.start();
      return () => libvirtd.end();
    },
    spec: (_folder, changes): LibvirtSpec => ({
      ...common,
      driver: 'libvirt',
      uri: libvirtd.uri,
      binary: 'qemu-system-x86_64',
      architecture: 'x86_64',
      machine: 'pc',
      accel: 'tcg',
      pvpanic: false,
      ...(changes as Partial<LibvirtSpec>),
    }),
    refusal: /was not started by libvirt: libvirt refuses .*no-such-option/,
    socket: 'vmm.pid',
    hold: async () => {
      libvirtd.signal('SIGSTOP');
      return () => libvirtd.signal('SIGCONT');
    },
    resets: true,
    tellsPauses: true,
    holdsDisks: true,
    heeds: false,
  };
}

/** `append` of the fakes: `deaf` does not heed the power button. */
function kernel(folder: string, append: string) {
  const image = join(folder, 'tiny-guest.elf');
  if (!existsSync(image)) writeTinyGuest(image);
  return { image, append };
}

function cloudHypervisor(
  binary: string,
  append: string,
): Omit<Subject, 'name' | 'skip' | 'heeds' | 'holdsDisks'> {
  return {
    driver: 'cloud-hypervisor',
    spec: (folder, changes): CloudHypervisorSpec => ({
      ...common,
      driver: 'cloud-hypervisor',
      binary,
      kernel: kernel(folder, append),
      watchdog: true,
      pvpanic: true,
      ...(changes as Partial<CloudHypervisorSpec>),
    }),
    socket: 'ch.sock',
    hold: fillApi,
    resets: true,
    tellsPauses: true,
  };
}

const count = z.number().nonnegative();
/** What is added up of the metrics of Firecracker, where a member that is missing counts as nothing. */
const METRICS = z.object({
  block: z.object({ read_count: count, write_count: count, flush_count: count }),
  net: z.object({ tx_packets_count: count }),
});

/** The last line of the metrics beside the socket has all members that are counted. */
function requireMetrics(socket: string): void {
  const lines = readFileSync(join(dirname(socket), 'metrics.json'), 'utf8')
    .trim()
    .split('\n');
  METRICS.parse(JSON.parse(lines.at(-1) ?? ''));
}

function firecracker(
  binary: string,
  append: string,
): Omit<Subject, 'name' | 'skip' | 'heeds' | 'holdsDisks'> {
  return {
    driver: 'firecracker',
    spec: (folder, changes): FirecrackerSpec => ({
      ...common,
      driver: 'firecracker',
      binary,
      kernel: kernel(folder, append),
      ...(changes as Partial<FirecrackerSpec>),
    }),
    socket: 'fc.sock',
    hold: fillApi,
    resets: false,
    tellsPauses: false,
  };
}

/** `variable` names the program. */
function real(variable: string): { readonly binary: string; readonly skip: string | undefined } {
  const binary = process.env[variable] ?? '';
  const skip = binary === '' ? `set ${variable} to the path of the real program` : undefined;
  return { binary, skip };
}

/** Everything that the drivers are tested against; the fakes are built into the folder. */
export function subjects(folder: string): readonly Subject[] {
  const fakes = buildFakePrograms(folder);
  const realCloudHypervisor = real('VMPULSE_TEST_CH');
  const realFirecracker = real('VMPULSE_TEST_FC');
  return [
    qemu,
    libvirt(folder),
    {
      ...cloudHypervisor(fakes.cloudHypervisor, ''),
      name: 'a fake Cloud Hypervisor',
      skip: whyNoKvm(),
      heeds: true,
      holdsDisks: false,
      loseAnswer: (path) => giveOrder(path, { fault: 'drop-done', request: 'PUT /api/v1/vm.reboot' }),
      misreport: (path) => giveOrder(path, { does: 'created' }),
    },
    {
      ...cloudHypervisor(realCloudHypervisor.binary, ''),
      name: 'Cloud Hypervisor',
      skip: realCloudHypervisor.skip,
      heeds: false,
      holdsDisks: true,
    },
    {
      ...firecracker(fakes.firecracker, ''),
      name: 'a fake Firecracker',
      skip: whyNoKvm(),
      heeds: true,
      holdsDisks: false,
    },
    {
      ...firecracker(realFirecracker.binary, 'x=1'),
      name: 'Firecracker',
      skip: realFirecracker.skip,
      countsTruly: requireMetrics,
      heeds: true,
      holdsDisks: true,
    },
  ];
}

/** A program that waits before it becomes another one; questions are answered at once. */
export function slowProgram(folder: string, binary: string, seconds: number): string {
  const path = join(folder, `slow-${crypto.randomUUID()}`);
  const script = `#!/bin/sh\ncase "$*" in *--help*|*"machine none"*) ;; *) sleep ${seconds} ;; esac\nexec ${binary} "$@"\n`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}
