import { describe, expect, it } from 'vitest';
import { describeDomain } from '../../../src/hypervisors/libvirt/domain-description.js';
import { type DomainChoices, domainXml } from '../../../src/hypervisors/libvirt/domain-xml.js';
import { domainOf, libvirtMark, libvirtPaths } from '../../../src/hypervisors/libvirt/libvirt-vm.js';
import { runState } from '../../../src/hypervisors/libvirt/run-state.js';
import { libvirtPlace, libvirtUriProblem } from '../../../src/hypervisors/libvirt/uri.js';
import type { LibvirtSpec } from '../../../src/model/hypervisors/libvirt.js';
import { testVm, UUID } from '../qemu/fixtures.js';

function vm(changes: Partial<LibvirtSpec> = {}) {
  const hypervisor: LibvirtSpec = {
    driver: 'libvirt',
    uri: 'qemu:///system',
    binary: 'qemu-system-x86_64',
    architecture: 'x86_64',
    machine: 'q35',
    accel: 'auto',
    memoryMiB: 128,
    vcpus: 2,
    disks: [],
    interfaces: [],
    guestAgent: true,
    pvpanic: true,
    extraArgs: [],
    ...changes,
  };
  return { ...testVm(), hypervisor };
}

function xmlOf(changes: Partial<LibvirtSpec>, host: Partial<DomainChoices> = {}): string {
  const one = vm(changes);
  const choices = {
    program: '/usr/bin/q',
    accelerator: 'tcg' as const,
    blockDevices: new Set<string>(),
    images: new Map<string, string>(),
    ...host,
  };
  return domainXml(one, libvirtPaths('/run/x', one), choices);
}

describe('the domain of a VM', () => {
  it('has what the document says, escaped', () => {
    const xml = xmlOf({
      kernel: { image: '/k', append: `a="b" <c> & 'd'` },
      disks: [
        { name: 'root', path: '/a&b.qcow2', format: 'qcow2', readOnly: false },
        { name: 'data', path: '/dev/vg/x', format: 'raw', readOnly: true },
      ],
      interfaces: [{ type: 'tap', device: 'tap0', mac: '52:54:00:00:00:01' }],
      watchdog: { name: 'watchdog', model: 'i6300esb', action: 'pause' },
      extraArgs: ['-x', '"'],
    });
    expect(xml).toContain('<domain type="qemu"');
    expect(xml).toContain(`<uuid>${UUID}</uuid>`);
    expect(xml).toContain('<cmdline>a=&quot;b&quot; &lt;c&gt; &amp; &apos;d&apos;</cmdline>');
    expect(xml).toContain('<source file="/a&amp;b.qcow2"/><target dev="vda" bus="virtio"/>');
    expect(xml).toContain('<target dev="tap0" managed="no"/>');
    expect(xml).toContain('<watchdog model="i6300esb" action="pause"/>');
    expect(xml).toContain('<qemu:arg value="-x"/><qemu:arg value="&quot;"/>');
    expect(xml).toContain('name="org.qemu.guest_agent.0"');
    expect(xml).toContain('<readonly/>');
  });

  it('names block devices as such, and more disks than letters', () => {
    const disks = Array.from({ length: 28 }, (_, i) => {
      return { name: `d${i}`, path: `/dev/d${i}`, format: 'raw', readOnly: false } as const;
    });
    const xml = xmlOf({ disks }, { blockDevices: new Set(['/dev/d0']) });
    expect(xml).toContain(
      '<disk type="block" device="disk"><driver name="qemu" type="raw"/><source dev="/dev/d0"/>',
    );
    expect(xml).toContain('<source file="/dev/d27"/><target dev="vdab" bus="virtio"/>');
  });

  it('gives no image away that other disks are laid over, too', () => {
    const disks = [{ name: 'root', path: '/d', format: 'qcow2', readOnly: false } as const];
    const xml = xmlOf({ disks }, { images: new Map([['/d', '/i/1.qcow2']]) });
    expect(xml).toContain(
      '<backingStore type="file"><format type="qcow2"/><source file="/i/1.qcow2"><seclabel model="dac" relabel="no"/></source><backingStore/></backingStore>',
    );
  });

  it('has room for memory where it is to have it', () => {
    const xml = xmlOf({ maxMemoryMiB: 1024 });
    expect(xml).toContain('<maxMemory slots="32" unit="MiB">1024</maxMemory><memory unit="MiB">128</memory>');
    expect(xml).toContain('<numa><cell id="0" cpus="0-1" memory="128" unit="MiB"/></numa>');
    expect(xmlOf({})).not.toContain('numa');
  });

  it.each([
    [undefined, '<cpu mode="maximum"></cpu>'],
    ['host', '<cpu mode="host-passthrough"></cpu>'],
    ['qemu64', '<model fallback="forbid">qemu64</model>'],
  ])('CPU %s', (cpu, expected) => {
    expect(xmlOf(cpu === undefined ? {} : { cpu })).toContain(expected);
  });
});

describe('a domain that libvirt keeps', () => {
  it('is described by its disks, memory and emulator', () => {
    const xml = `<domain><memory unit='KiB'>131073</memory><devices><emulator>/usr/bin/q&amp;x</emulator>
      <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a&#39;.img' index='1'/>
        <backingStore type='file'><format type='raw'/><source file='/base.img'/><backingStore/></backingStore>
        <target dev='vda' bus='virtio'/></disk>
      <disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>
      <disk type='block' device='disk'><source dev='/dev/sdx'/><target dev='vdb'/><shareable/></disk></devices></domain>`;
    expect(describeDomain(xml)).toEqual({
      emulator: '/usr/bin/q&x',
      memoryMiB: 129,
      disks: [
        { name: 'vda', path: "/a'.img", format: 'qcow2', readOnly: false },
        { name: 'vdb', path: '/dev/sdx', format: 'raw', readOnly: true },
      ],
    });
  });

  it('is not taken for what its metadata says, however much that is', () => {
    const note = "<x:disk xmlns:x='u'><source file='/note'/></x:disk><disk xmlns='v'><source file='/note'/>";
    const many = '<a b="c>">'.repeat(20_000);
    const xml = `<?xml version='1.0'?><!-- <disk> --><domain><metadata>${note}</disk>${many}${'</a>'.repeat(20_000)}
      <memory>9</memory><![CDATA[<devices>]]></metadata><memory>2048</memory>
      <devices><disk><source file='/own'/></disk></devices></domain>`;
    expect(describeDomain(xml)).toEqual({
      memoryMiB: 2,
      disks: [{ name: 'disk', path: '/own', format: 'raw', readOnly: false }],
    });
  });

  it.each([
    '',
    'x',
    '<a>',
    '<a></b>',
    '</a>',
    '<a b=c/>',
    '<a/><b/>',
    '<!--',
    '<a',
    '<a b="',
  ])('is not described by %j', (text) => {
    expect(() => describeDomain(text)).toThrow('no XML');
  });

  it('is known by its UUID or its name, and named by what its QEMU was told', () => {
    const byUuid = vm({ adopt: { domain: UUID.toUpperCase() } });
    const byName = vm({ adopt: { domain: 'Web' } });
    expect(libvirtMark(byUuid)).toMatchObject({ argv: { options: ['-uuid'], values: [UUID] } });
    expect(libvirtMark(byName)).toMatchObject({ argv: { options: ['-name'], values: ['guest=web'] } });
    const uuid = '00000000-0000-4000-8000-000000000001';
    expect(domainOf(byName, ['q', '-name', 'guest=Web,debug-threads=on', '-uuid', uuid])).toEqual({
      name: 'Web',
      uuid,
    });
    expect(domainOf(byName, [])).toEqual({ name: 'Web', uuid: UUID });
  });
});

describe('run states', () => {
  it.each([
    [1, 0, 'running'],
    [3, 1, 'paused'],
    [3, 5, 'io-error'],
    [3, 6, 'watchdog'],
    [3, 10, 'guest-panicked'],
    [3, 99, 'paused'],
    [5, 6, 'shutdown'],
    [6, 1, 'guest-panicked'],
    [7, 0, 'suspended'],
    [99, 0, 'unknown'],
  ])('%i/%i is %s', (state, reason, expected) => {
    expect(runState({ state, reason })).toBe(expected);
  });
});

describe('URIs', () => {
  it('are those of this host', () => {
    expect(libvirtPlace('qemu+unix:///session?socket=/x/y')).toEqual({
      uri: 'qemu:///session',
      sockets: ['/x/y'],
    });
    expect(libvirtPlace('qemu:///system').sockets).toEqual([
      '/run/libvirt/virtqemud-sock',
      '/run/libvirt/libvirt-sock',
    ]);
    for (const uri of ['qemu+ssh://h/system', 'xen:///', 'qemu:///system?socket=relative', ''])
      expect(libvirtUriProblem(uri)).toContain("is not a URI of this host's libvirt");
  });
});
