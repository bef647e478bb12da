import { open, readdir, readlink } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../model/parse-json.js';
import type { AddressBook, KnownAddress } from './guest-address.js';
import { runTool } from './run-tool.js';

const DNSMASQ_FILES = ['/var/lib/misc/dnsmasq.leases', '/var/lib/dnsmasq/dnsmasq.leases'];
const LIBVIRT_FOLDER = '/var/lib/libvirt/dnsmasq';
const MAX_BYTES = 4 * 1024 * 1024;
const NEIGHBOURS = ['ip', '-6', 'neighbour', 'show'];
const NEIGHBOURS_MS = 2_000;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** As libvirt's helper of dnsmasq keeps them, a file a network. */
const libvirtLeases = z.array(
  z.looseObject({
    'ip-address': z.string(),
    'mac-address': z.string(),
    'expiry-time': z.number().optional(),
  }),
);

/** What of the host is read. */
export interface AddressSources {
  /** Default `/`. */
  readonly root?: string;
  /** What `ip -6 neighbour show` prints; rejects where there is no such program. */
  readonly neighbours?: () => Promise<string>;
}

/**
 * Reads what the host knows of addresses: leases of dnsmasq and libvirt, the ARP table, the neighbours of IPv6 (of which the
 * kernel has no file: by `ip`, without it none), bridges of TAP devices.
 */
export async function readAddressBook(nowMs: number, sources: AddressSources = {}): Promise<AddressBook> {
  const { root = '/', neighbours = askIp } = sources;
  const [ours, libvirt, arp, ndp, bridgeOf] = await Promise.all([
    Promise.all(DNSMASQ_FILES.map((path) => dnsmasq(root, path, nowMs))),
    libvirtNetworks(root, nowMs),
    read(join(root, '/proc/net/arp')),
    neighbours().catch(() => ''),
    bridges(root),
  ]);
  const devices = Object.entries(networkInterfaces());
  return {
    leases: [...ours.flat(), ...libvirt],
    neighbours: [...parseArp(arp), ...parseNdp(ndp)],
    bridgeOf,
    own: new Set(devices.flatMap(([, all = []]) => all.map(({ address }) => address))),
    networks: new Map(devices.map(([name, all = []]) => [name, all.flatMap(({ cidr }) => cidr ?? [])])),
  };
}

/** Expiry, MAC, address, name, client id; expiry 0: for ever. */
async function dnsmasq(root: string, path: string, nowMs: number): Promise<KnownAddress[]> {
  const text = await read(join(root, path));
  return text.split('\n').flatMap((line) => {
    const [expiry, mac = '', ip = ''] = line.split(' ');
    const isOver = Number(expiry) !== 0 && Number(expiry) * 1000 < nowMs;
    return isOver ? [] : known(mac, ip, path);
  });
}

async function libvirtNetworks(root: string, nowMs: number): Promise<KnownAddress[]> {
  const folder = join(root, LIBVIRT_FOLDER);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.status'));
  const found = await Promise.all(
    names.map(async (name) => {
      const leases = libvirtLeases.safeParse(parseJson(await read(join(folder, name))));
      return (leases.data ?? []).flatMap((lease) => {
        const isOver = (lease['expiry-time'] ?? 0) !== 0 && (lease['expiry-time'] ?? 0) * 1000 < nowMs;
        return isOver ? [] : known(lease['mac-address'], lease['ip-address'], `${LIBVIRT_FOLDER}/${name}`);
      });
    }),
  );
  return found.flat();
}

/** Address, type, flags, MAC, mask, device; flag 2: it has answered. */
function parseArp(text: string): KnownAddress[] {
  return text.split('\n').flatMap((line) => {
    const [ip = '', , flags, mac = ''] = line.split(/\s+/);
    const isComplete = (Number.parseInt(flags ?? '', 16) & 2) !== 0;
    return isComplete ? known(mac, ip, 'the ARP table') : [];
  });
}

async function askIp(): Promise<string> {
  return (await runTool(NEIGHBOURS, { deadlineMs: NEIGHBOURS_MS })).stdout;
}

/**
 * `ADDRESS dev DEVICE lladdr MAC [router] STATE`, a line each; one that has not answered has no MAC, or says so. A link-local
 * address is one of each link, and says nothing without it.
 */
function parseNdp(text: string): KnownAddress[] {
  return text.split('\n').flatMap((line) => {
    const [, ip = '', mac = ''] = /^([0-9a-f:]+) dev \S+ lladdr (\S+) /.exec(line) ?? [];
    if (/^fe[89ab]/.test(ip) || / (FAILED|INCOMPLETE|NONE)\s*$/.test(line)) return [];
    return known(mac, ip, 'the neighbour table');
  });
}

async function bridges(root: string): Promise<Map<string, string>> {
  const folder = join(root, '/sys/class/net');
  const devices = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    devices.map(async (device) => {
      const master = await readlink(join(folder, device, 'master')).catch(() => undefined);
      return master === undefined ? [] : [[device, basename(master)] as const];
    }),
  );
  return new Map(found.flat());
}

function known(mac: string, ip: string, source: string): KnownAddress[] {
  const lower = mac.toLowerCase();
  return MAC.test(lower) && isIP(ip) !== 0 ? [{ mac: lower, ip, source }] : [];
}

/** The beginning of a file; empty where there is none. */
async function read(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return '';
  } finally {
    await file.close();
  }
}
