import { given } from '../../model/given.js';
import type { DescribedVm } from './found-vm.js';
import { isOn, type Properties, parseProperties, propertyOf, sizeMiB } from './option-text.js';

/** Options that stand alone: what follows is not their value. */
const FLAGS = new Set(
  'S s daemonize enable-kvm no-reboot no-shutdown no-acpi no-hpet no-user-config nodefaults nographic snapshot usb mem-prealloc preconfig only-migratable quiet full-screen singlestep win2k-hack no-fd-bootchk semihosting sdl curses'.split(
    ' ',
  ),
);
const AGENT_PORT = 'org.qemu.guest_agent.0';
const NETWORK_DEVICE = /^(virtio-net|e1000|rtl8139|vmxnet3|ne2k|i82551|usb-net|pcnet|igb)/;

/** Options by name, without dashes, in their order; what stands alone counts as a disk (`hda`). */
class Options {
  readonly #all: readonly (readonly [name: string, value: string])[];

  constructor(args: readonly string[]) {
    const all: [string, string][] = [];
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] ?? '';
      const name = /^--?(?=[A-Za-z])(.*)$/s.exec(arg)?.[1];
      if (name === undefined) all.push(['hda', arg]);
      else if (FLAGS.has(name) || i + 1 === args.length) all.push([name, '']);
      else all.push([name, args[++i] ?? '']);
    }
    this.#all = all;
  }

  texts(...names: readonly string[]): readonly string[] {
    return this.#all.flatMap(([name, value]) => (names.includes(name) ? [value] : []));
  }

  /** The values of an option as properties. */
  lists(name: string, implied: string): readonly Properties[] {
    return this.texts(name).map((text) => parseProperties(text, implied));
  }
}

/** Reads QEMU's arguments, without the program. What they do not say stays unset. Relative paths stay so. */
export function describeQemu(args: readonly string[]): DescribedVm {
  const options = new Options(args);
  const chardevs = new Map(
    options.lists('chardev', 'backend').map((chardev) => [propertyOf(chardev, 'id') ?? '', chardev]),
  );
  const [name] = options.lists('name', 'guest');
  const [memory] = options.lists('m', 'size');
  const [pidFile] = options.texts('pidfile');
  const uuid = options.texts('uuid')[0] ?? smbiosUuid(options);
  const named = name && propertyOf(name, 'guest');
  const memoryMiB = memory && sizeMiB(propertyOf(memory, 'size'), 1024 ** 2);
  const vcpus = vcpusOf(options);
  const agent = agentOf(options, chardevs);
  const log = consoleOf(options, chardevs);
  return {
    ...given({ name: named, uuid: uuid?.toLowerCase(), memoryMiB, vcpus }),
    disks: disksOf(options),
    ...networkOf(options),
    monitors: monitorsOf(options, chardevs),
    ...given({ agent, console: log, pidFile }),
  };
}

/** Where a domain's UUID stands for guests to read; Proxmox gives it there alone. */
function smbiosUuid(options: Options): string | undefined {
  const system = options.lists('smbios', 'file').find((one) => propertyOf(one, 'type') === '1');
  return system && propertyOf(system, 'uuid');
}

function vcpusOf(options: Options): number | undefined {
  const smp = options.lists('smp', 'cpus')[0];
  if (smp === undefined) return undefined;
  const number = (name: string) => Number(propertyOf(smp, name) ?? Number.NaN);
  if (Number.isInteger(number('cpus'))) return number('cpus');
  const parts = ['sockets', 'dies', 'cores', 'threads'].filter((name) => Number.isInteger(number(name)));
  return parts.length === 0 ? undefined : parts.reduce((all, name) => all * number(name), 1);
}

type Chardevs = ReadonlyMap<string, Properties>;

/** Path that a chardev listens on or writes to. */
function chardevPath(chardev: Properties | undefined, backend: 'socket' | 'file'): string | undefined {
  if (chardev === undefined) return undefined;
  const kind = propertyOf(chardev, 'backend', 'backend.type');
  if (kind !== backend) return undefined;
  return propertyOf(chardev, 'path', 'backend.data.addr.data.path', 'backend.data.out');
}

function monitorsOf(options: Options, chardevs: Chardevs): string[] {
  const direct = options.texts('qmp', 'qmp-pretty').flatMap((text) => {
    if (text.startsWith('chardev:')) return chardevPath(chardevs.get(text.slice(8)), 'socket') ?? [];
    return /^unix:([^,]+)/.exec(text)?.[1] ?? [];
  });
  const byChardev = options.lists('mon', 'chardev').flatMap((mon) => {
    if (propertyOf(mon, 'mode') !== 'control') return [];
    return chardevPath(chardevs.get(propertyOf(mon, 'chardev') ?? ''), 'socket') ?? [];
  });
  return [...direct, ...byChardev];
}

function agentOf(options: Options, chardevs: Chardevs): string | undefined {
  const port = options.lists('device', 'driver').find((device) => propertyOf(device, 'name') === AGENT_PORT);
  return port && chardevPath(chardevs.get(propertyOf(port, 'chardev') ?? ''), 'socket');
}

function consoleOf(options: Options, chardevs: Chardevs): string | undefined {
  const [serial] = options.texts('serial');
  if (serial?.startsWith('file:')) return serial.slice(5);
  if (!serial?.startsWith('chardev:')) return undefined;
  const chardev = chardevs.get(serial.slice(8));
  return chardevPath(chardev, 'file') ?? (chardev && propertyOf(chardev, 'logfile'));
}

function disksOf(options: Options): DescribedVm['disks'] {
  const plain = options.texts('hda', 'hdb', 'hdc', 'hdd').map((path) => ({ path, readOnly: false }));
  const drives = options.lists('drive', 'file').flatMap((drive) => {
    const path = propertyOf(drive, 'file', 'file.filename');
    if (path === undefined || path === '' || propertyOf(drive, 'if') === 'pflash') return [];
    const format = propertyOf(drive, 'format', 'driver');
    const readOnly =
      isOn(drive, 'readonly') || isOn(drive, 'read-only') || propertyOf(drive, 'media') === 'cdrom';
    return [{ path, ...given({ format }), readOnly }];
  });
  return [...plain, ...drives, ...blockdevs(options)];
}

/** Files of `-blockdev`; the format is that of the node above them. */
function blockdevs(options: Options): DescribedVm['disks'] {
  const nodes = options.lists('blockdev', 'driver');
  return nodes.flatMap((node) => {
    const path = propertyOf(node, 'filename', 'file.filename');
    if (path === undefined) return [];
    const own = propertyOf(node, 'node-name');
    const above = nodes.find((one) => own !== undefined && propertyOf(one, 'file') === own);
    const format =
      propertyOf(node, 'file.filename') === undefined
        ? above && propertyOf(above, 'driver')
        : propertyOf(node, 'driver');
    const readOnly = isOn(node, 'read-only') || (above !== undefined && isOn(above, 'read-only'));
    return [{ path, ...given({ format }), readOnly }];
  });
}

function networkOf(options: Options): Pick<DescribedVm, 'taps' | 'forwards'> {
  const macs = new Map(
    options.lists('device', 'driver').flatMap((device) => {
      if (!NETWORK_DEVICE.test(propertyOf(device, 'driver') ?? '')) return [];
      return [[propertyOf(device, 'netdev') ?? '', propertyOf(device, 'mac')?.toLowerCase()] as const];
    }),
  );
  const backends = [
    ...options.lists('netdev', 'type'),
    ...options.lists('nic', 'type'),
    ...options.lists('net', 'type'),
  ];
  const taps = backends.flatMap((backend) => {
    if (propertyOf(backend, 'type') !== 'tap') return [];
    const device = propertyOf(backend, 'ifname');
    const mac = propertyOf(backend, 'mac')?.toLowerCase() ?? macs.get(propertyOf(backend, 'id') ?? '');
    return [given({ device, mac })];
  });
  const forwards = backends.flatMap((backend) => {
    if (propertyOf(backend, 'type') !== 'user') return [];
    return backend.flatMap(([name, value]) => (name === 'hostfwd' ? forwardOf(value) : []));
  });
  return { taps, forwards };
}

/** `[tcp]:[address]:port-[guest address]:guest port`; those of UDP are left out. */
function forwardOf(text: string): DescribedVm['forwards'] {
  const match = /^(?:tcp)?:([^:]*):(\d+)-[^:]*:(\d+)$/.exec(text);
  if (match === null) return [];
  const address = match[1] || '0.0.0.0';
  return [{ hostAddress: address, hostPort: Number(match[2]), guestPort: Number(match[3]) }];
}
