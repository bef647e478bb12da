import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAddressBook } from '../../../src/discovery/address-book.js';
import { documentsOf } from '../../../src/discovery/documents.js';
import { type AddressBook, addressOf } from '../../../src/discovery/guest-address.js';
import { nameVms } from '../../../src/discovery/names.js';
import { type FoundVm, NOTHING_KNOWN } from '../../../src/hypervisors/discovery/found-vm.js';
import { compileOne } from '../../config/compile.js';
import { testFolder } from '../../fixtures/folder.js';

const UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
const MAC = '52:54:00:00:00:01';
const found = (more: Partial<FoundVm> = {}): FoundVm => ({
  ...NOTHING_KNOWN,
  vmm: 'qemu',
  marks: [{ option: '-uuid', value: UUID }],
  owner: { kind: 'user', uid: 0 },
  present: [...(more.monitors ?? []), more.api ?? '', more.agent ?? ''],
  ...more,
});

function compiled(vm: FoundVm, address?: { ip: string; mac: string; bridge?: string }, all = [vm]) {
  const written = documentsOf({ name: 'web-1', vm, address }, all);
  if ('problem' in written) throw new Error(written.problem);
  return compileOne(written.text);
}

const kindsOf = (vm: ReturnType<typeof compiled>) => vm.probes.map(({ check }) => check.kind).sort();

describe('documents of a found VM', () => {
  it('adopt a QEMU with a monitor, and never act on it', () => {
    const vm = compiled(
      found({ uuid: UUID, monitors: ['/run/q.sock'], agent: '/run/a.sock', memoryMiB: 512, vcpus: 2 }),
    );
    expect(vm).toMatchObject({
      id: 'default/web-1',
      uuid: UUID,
      runStrategy: 'Manual',
      recovery: { enabled: false },
      hypervisor: {
        driver: 'qemu',
        memoryMiB: 512,
        vcpus: 2,
        adopt: { qmpSocket: '/run/q.sock', agentSocket: '/run/a.sock' },
      },
    });
    expect(kindsOf(vm)).toEqual(['guestAgentPing', 'vmState', 'vmmProcess']);
  });

  it.each([
    ['libvirt', { kind: 'libvirt', domain: 'x' }],
    ['Proxmox', { kind: 'proxmox', id: '100' }],
    ['a unit', { kind: 'systemd', unit: 'x.service' }],
    ['a container', { kind: 'container', scope: 'x' }],
  ] as const)('name no socket of a VM of %s', (_who, owner) => {
    const vm = compiled(found({ owner, monitors: ['/run/q.sock'], agent: '/run/a.sock' }));
    expect(vm.hypervisor).toMatchObject({ driver: 'observed', adopt: { mark: `-uuid ${UUID}` } });
    expect(kindsOf(vm)).toEqual(['vmmProcess']);
    expect(JSON.stringify(vm)).not.toContain('.sock');
  });

  it('adopt Cloud Hypervisor and Firecracker by their API', () => {
    const adopted = (vmm: FoundVm['vmm']) => compiled(found({ vmm, api: '/run/api.sock' }));
    for (const driver of ['cloud-hypervisor', 'firecracker'] as const) {
      const vm = adopted(driver);
      expect(vm.hypervisor).toMatchObject({ driver, adopt: { apiSocket: '/run/api.sock' } });
      expect(kindsOf(vm)).toEqual(['vmState', 'vmmProcess']);
    }
  });

  it('observe what has no monitor, or none that is there', () => {
    const gone = compiled(found({ monitors: ['/run/q.sock'], present: [] }));
    expect(gone.hypervisor.driver).toBe('observed');
    const marks = [{ option: '--id', value: 'web' }];
    expect(compiled(found({ vmm: 'firecracker', marks })).hypervisor).toMatchObject({
      driver: 'observed',
      adopt: { mark: '--id web' },
    });
  });

  it('ask what shows that the guest itself runs', () => {
    const forwards = [
      { hostAddress: '0.0.0.0', hostPort: 2222, guestPort: 22 },
      { hostAddress: '127.0.0.1', hostPort: 8443, guestPort: 443 },
      { hostAddress: '127.0.0.1', hostPort: 5432, guestPort: 5432 },
    ];
    const vm = compiled(found({ forwards, console: '/var/log/c.log' }), {
      ip: '192.0.2.7',
      mac: MAC,
      bridge: 'br0',
    });
    expect(vm.address).toBe('192.0.2.7');
    expect(vm.probes.map(({ name }) => name).sort()).toEqual([
      'console',
      'https-8443',
      'neighbour',
      'ssh-2222',
      'vmm-process',
    ]);
    expect(vm.probes.find(({ name }) => name === 'neighbour')?.check).toMatchObject({
      kind: 'arp',
      mac: MAC,
      interface: 'br0',
    });
    expect(vm.probes.find(({ name }) => name === 'ssh-2222')?.check).toMatchObject({
      ssh: { host: '127.0.0.1', port: 2222, level: 'banner' },
    });
  });

  it('tell VMs apart by a mark that only one of them has', () => {
    const shared = { option: '-name', value: 'web' };
    const own = { option: '-hda', value: '/a.img' };
    const [a, b] = [found({ marks: [shared, own] }), found({ marks: [shared] })];
    expect(compiled(a, undefined, [a, b]).hypervisor.adopt).toEqual({ mark: '-hda /a.img' });
    expect(documentsOf({ name: 'b', vm: b, address: undefined }, [a, b])).toMatchObject({
      problem: expect.stringContaining('give its VMM a UUID or a name'),
    });
  });
});

describe('names of found VMs', () => {
  it.each([
    ['its own', found({ name: 'Web Server (1)' }), 'web-server-1'],
    ['of its UUID', found({ uuid: UUID }), 'qemu-6ba7b810'],
    ['of its socket', found({ vmm: 'firecracker', api: '/run/fc/Web_2.socket' }), 'firecracker-web-2'],
    ['of its disk', found({ disks: [{ path: '/srv/db.qcow2', readOnly: false }] }), 'qemu-db'],
    ['of its process', found({ name: '---', process: { pid: 77, startTimeTicks: 1 } }), 'qemu-77'],
    ['no longer than names are', found({ name: 'x'.repeat(80) }), 'x'.repeat(63)],
    ['without the namespace that all have here', found({ name: 'default/db' }), 'db'],
    ['with another namespace', found({ name: 'demo/db' }), 'demo-db'],
  ])('are %s', (_what, vm, name) => expect(nameVms([vm])).toEqual([name]));

  it('differ', () => {
    const same = found({ name: 'y'.repeat(70) });
    expect(nameVms([same, same, found({ name: 'z' })])).toEqual(['y'.repeat(63), `${'y'.repeat(61)}-2`, 'z']);
  });
});

const NOW = Date.UTC(2030, 0, 1);

function bookOf(files: Record<string, string>, ipv6 = ''): Promise<AddressBook> {
  const root = testFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path.endsWith('/master')) symlinkSync(text, join(root, path));
    else writeFileSync(join(root, path), text);
  }
  return readAddressBook(NOW, { root, neighbours: async () => ipv6 });
}

const arp = (ip: string, mac: string, flags = '0x2') => ({
  'proc/net/arp': `IP address       HW type     Flags       HW address            Mask     Device\n${ip}       0x1         ${flags}         ${mac}     *        br0\n`,
});
const dnsmasq = (expiry: number) => ({
  'var/lib/misc/dnsmasq.leases': `${expiry} ${MAC.toUpperCase()} 192.0.2.7 web *\nduid 00:01\n`,
});
const withTap = found({ taps: [{ device: 'tap0', mac: MAC }] });

describe('the address of a guest', () => {
  it.each([
    ['a lease of dnsmasq', dnsmasq(NOW / 1000 + 60)],
    ['one that never ends', dnsmasq(0)],
    [
      'a lease of libvirt',
      {
        'var/lib/libvirt/dnsmasq/virbr0.status': JSON.stringify([
          { 'ip-address': '192.0.2.7', 'mac-address': MAC, 'expiry-time': NOW / 1000 + 1 },
        ]),
      },
    ],
    ['the ARP table', arp('192.0.2.7', MAC)],
    ['a lease that the ARP table confirms', { ...dnsmasq(0), ...arp('192.0.2.7', MAC) }],
  ])('is known from %s', async (_what, files) => {
    expect(addressOf(withTap, await bookOf(files))).toEqual({ ip: '192.0.2.7', mac: MAC });
  });

  it.each([
    ['a lease that is over', dnsmasq(NOW / 1000 - 1)],
    ['an entry that nobody answered', arp('192.0.2.7', MAC, '0x0')],
    ['a damaged file', { 'var/lib/libvirt/dnsmasq/virbr0.status': '[{' }],
    ['somebody else', arp('192.0.2.7', '52:54:00:00:00:02')],
    ['no file', {}],
  ])('is not known from %s', async (_what, files) => {
    expect(addressOf(withTap, await bookOf(files))).toBeUndefined();
  });

  it('is not taken where somebody else answers for it', async () => {
    const book = await bookOf({ ...dnsmasq(0), ...arp('192.0.2.7', '52:54:00:00:00:02') });
    expect(addressOf(withTap, book)).toBe(
      `192.0.2.7 is ${MAC}'s by /var/lib/misc/dnsmasq.leases, and 52:54:00:00:00:02 answers for it; it is not probed`,
    );
  });

  it('is known from the neighbours of IPv6 that have answered, but for those of one link', async () => {
    const ipv6 = [
      `fe80::5054:ff:fe12:3456 dev br0 lladdr ${MAC} STALE`,
      `2001:db8::6 dev br0 lladdr ${MAC} FAILED`,
      '2001:db8::5 dev br0 INCOMPLETE',
      `2001:db8::7 dev br0 lladdr ${MAC} router REACHABLE`,
      `2001:db8::8 dev br0 lladdr ${MAC.slice(0, 9)}`,
    ].join('\n');
    expect(addressOf(withTap, await bookOf({}, ipv6))).toEqual({ ip: '2001:db8::7', mac: MAC });
    // IPv4 first where there are both.
    expect(addressOf(withTap, await bookOf(arp('192.0.2.7', MAC), ipv6))).toMatchObject({ ip: '192.0.2.7' });
    const without = await readAddressBook(NOW, {
      root: testFolder(),
      neighbours: () => Promise.reject(new Error('no such program')),
    });
    expect(without.neighbours).toEqual([]);
  });

  it('is asked of this very host', async () => {
    const book = await readAddressBook(Date.now());
    for (const { ip, mac } of book.neighbours) expect(`${ip} ${mac}`).toMatch(/^[0-9a-f.:]+ [0-9a-f:]{17}$/);
    expect(book.bridgeOf).toBeInstanceOf(Map);
  });

  const near = new Map([['tap0', ['192.0.2.1/24', '2001:db8::1/64']]]);

  it('is what its agent told, before leases and neighbours', async () => {
    const book = { ...(await bookOf({ ...dnsmasq(0), ...arp('192.0.2.8', MAC) })), networks: near };
    const told = (...ips: readonly string[]) => ips.map((ip) => ({ mac: MAC, ip }));
    expect(addressOf(withTap, book, told('192.0.2.9'))).toEqual({ ip: '192.0.2.9', mac: MAC });
    expect(addressOf(withTap, book, told('2001:DB8:0::9'))).toMatchObject({ ip: '2001:db8::9' });
    expect(addressOf(withTap, book, [{ mac: '52:54:00:00:00:02', ip: '192.0.2.9' }])).toMatchObject({
      ip: '192.0.2.7',
    });
    const nonsense = ['127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', '255.255.255.255'];
    const nonsense6 = ['::', '::1', '::ffff:192.0.2.9', 'fe80::9', 'fe80::9%eth0', 'ff02::1'];
    expect(addressOf(withTap, book, told(...nonsense, ...nonsense6))).toMatchObject({ ip: '192.0.2.7' });
  });

  it('is not what its agent alone told of another network than its own', async () => {
    const told = [{ mac: MAC, ip: '203.0.113.9' }];
    const far =
      /^203\.0\.113\.9 is .* by its guest agent, and no network of this host on (tap0|br7) has it, .*; it is not probed$/;
    expect(addressOf(withTap, await bookOf({}), told)).toMatch(far);
    const book = { ...(await bookOf({})), networks: near };
    expect(addressOf(withTap, book, told)).toMatch(far);
    // The device is on a bridge, which is then what has the network.
    const bridged = { ...book, bridgeOf: new Map([['tap0', 'br7']]) };
    expect(addressOf(withTap, bridged, [{ mac: MAC, ip: '192.0.2.9' }])).toMatch(/on br7 has it/);
    const home = { ...bridged, networks: new Map([['br7', ['203.0.113.1/28']]]) };
    expect(addressOf(withTap, home, told)).toMatchObject({ ip: '203.0.113.9', bridge: 'br7' });
    expect(addressOf(withTap, home, [...told, { mac: MAC, ip: '203.0.113.20' }].reverse())).toMatchObject({
      ip: '203.0.113.9',
    });
    // A lease says the same.
    const leased = { 'var/lib/misc/dnsmasq.leases': `0 ${MAC} 203.0.113.9 web *\n` };
    expect(addressOf(withTap, await bookOf(leased), told)).toMatchObject({ ip: '203.0.113.9' });
  });

  it('is not what its agent told where that is another guest by lease or neighbours', async () => {
    const other = '52:54:00:00:00:02';
    const told = [{ mac: MAC, ip: '192.0.2.7' }];
    const leased = { 'var/lib/misc/dnsmasq.leases': `0 ${other} 192.0.2.7 web *\n` };
    expect(addressOf(withTap, await bookOf(leased), told)).toBe(
      `192.0.2.7 is ${MAC}'s by its guest agent, and /var/lib/misc/dnsmasq.leases gives it to ${other}; it is not probed`,
    );
    expect(addressOf(withTap, await bookOf(arp('192.0.2.7', other)), told)).toBe(
      `192.0.2.7 is ${MAC}'s by its guest agent, and ${other} answers for it; it is not probed`,
    );
    const own = { 'var/lib/misc/dnsmasq.leases': `0 ${other} 192.0.2.7 a *\n0 ${MAC} 192.0.2.8 b *\n` };
    expect(addressOf(withTap, await bookOf(own), told)).toMatchObject({ ip: '192.0.2.8' });
  });

  it('is never one of this host, which would answer in its place', async () => {
    const book = { ...(await bookOf({})), own: new Set(['10.77.0.1']) };
    expect(addressOf(withTap, book, [{ mac: MAC, ip: '10.77.0.1' }])).toBe(
      `10.77.0.1 is ${MAC}'s by its guest agent, and this host has it itself; it is not probed`,
    );
    const [address = 'none'] = Object.values(networkInterfaces()).flatMap((all = []) =>
      all.map((one) => one.address),
    );
    expect((await readAddressBook(NOW)).own).toContain(address);
  });

  it('comes with the bridge of its TAP device', async () => {
    const book = await bookOf({ ...dnsmasq(0), 'sys/class/net/tap0/master': '../br7' });
    expect(addressOf(withTap, book)).toEqual({ ip: '192.0.2.7', mac: MAC, bridge: 'br7' });
  });
});
