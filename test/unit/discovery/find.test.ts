import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findVms } from '../../../src/hypervisors/discovery/find-vms.js';
import type { FoundVm, Owner } from '../../../src/hypervisors/discovery/found-vm.js';
import { mergeDomains, parseDomains } from '../../../src/hypervisors/discovery/libvirt-domains.js';
import { testFolder } from '../../fixtures/folder.js';
import { type FakeProcess, findIn } from './fake-proc.js';

const UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
const qemu = (text: string, more: Partial<FakeProcess> = {}): FakeProcess => ({
  argv: ['/usr/bin/qemu-system-x86_64', ...text.split(' ')],
  ...more,
});

describe('VMMs among processes', () => {
  it.each([
    ['qemu', '/usr/bin/qemu-system-aarch64'],
    ['qemu', '/usr/libexec/qemu-kvm'],
    ['qemu', '/usr/bin/kvm'],
    ['cloud-hypervisor', '/opt/cloud-hypervisor-static'],
    ['firecracker', './firecracker-v1.7.0-x86_64'],
    ['firecracker', 'firecracker'],
  ])('%s as %s', (vmm, program) => {
    expect(findIn({ 7: { argv: [program, '-x'] } })).toMatchObject([
      { vmm, program, process: { pid: 7, startTimeTicks: 1007 } },
    ]);
  });

  it('are known by their file too, whatever they call themselves', () => {
    expect(
      findIn({ 7: { argv: ['db-guest', '-S'], exe: '/usr/bin/qemu-system-x86_64 (deleted)' } }),
    ).toHaveLength(1);
  });

  it.each([
    '/bin/sh',
    '/usr/bin/qemu-img',
    '/usr/bin/kvm-ok',
    'grep',
  ])('do not count %s among them', (program) => {
    expect(findIn({ 7: { argv: [program, 'qemu-system-x86_64', '-name', 'x'] } })).toEqual([]);
  });

  it('leave out a forked helper, kernel threads, and what ended meanwhile', () => {
    const found = findIn({ 7: qemu('-name a'), 8: qemu('-name a', { parent: 7 }), 9: { argv: [] } });
    expect(found.map(({ process }) => process?.pid)).toEqual([7]);
  });

  it('have paths as the host has them', () => {
    const [found] = findIn({
      7: qemu('-qmp unix:q.sock,server=on -drive file=/a.img -serial file:c.log', {
        cwd: '/srv/vm',
        root: '/',
      }),
    });
    expect(found).toMatchObject({
      monitors: ['/srv/vm/q.sock'],
      disks: [{ path: '/a.img' }],
      console: '/srv/vm/c.log',
    });
    const jailed: FakeProcess = {
      argv: ['firecracker', '--api-sock', '/run/fc.sock'],
      root: '/srv/jailer/web/root',
    };
    expect(findIn({ 7: jailed })).toMatchObject([{ api: '/srv/jailer/web/root/run/fc.sock' }]);
  });

  it('have TAP devices that were handed over as descriptors', () => {
    const [found] = findIn({
      7: qemu('-netdev tap,id=a,ifname=tap0 -netdev tap,id=b,fd=20', { taps: ['tap0', 'vnet3'] }),
    });
    expect(found?.taps).toEqual([{ device: 'tap0' }, { device: 'vnet3' }]);
  });

  it("have what Firecracker's configuration file says", () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'c.json'), '{"machine-config":{"vcpu_count":3}}');
    expect(findIn({ 7: { argv: ['firecracker', '--config-file', 'c.json'], cwd: folder } })).toMatchObject([
      { vcpus: 3 },
    ]);
  });
});

describe('the owner of a VMM', () => {
  const OWNERS: readonly (readonly [what: string, process: FakeProcess, owner: Owner])[] = [
    [
      'a shell',
      qemu('-name a', { uid: 1000, cgroup: '/user.slice/user-1000.slice/session-2.scope' }),
      { kind: 'user', uid: 1000 },
    ],
    [
      "a user's own unit",
      qemu('-name a', {
        uid: 1000,
        cgroup: '/user.slice/user-1000.slice/user@1000.service/app.slice/vm.service',
      }),
      { kind: 'user', uid: 1000 },
    ],
    [
      'a unit',
      qemu('-name a', { cgroup: '/system.slice/web-vm.service' }),
      { kind: 'systemd', unit: 'web-vm.service' },
    ],
    [
      'a unit with a folder below',
      qemu('-name a', { cgroup: '/system.slice/vm@1.service/vcpus' }),
      { kind: 'systemd', unit: 'vm@1.service' },
    ],
    [
      'libvirt by its scope',
      qemu('-name a', { cgroup: '/machine.slice/machine-qemu\\x2d3\\x2ddb.scope/libvirt/emulator' }),
      { kind: 'libvirt', domain: 'a' },
    ],
    [
      'libvirt by its files',
      qemu(
        '-name guest=db -chardev socket,id=c,path=/var/lib/libvirt/qemu/domain-1-db/monitor.sock,server=on',
      ),
      { kind: 'libvirt', domain: 'db' },
    ],
    [
      'libvirt by its secrets',
      {
        argv: [
          'qemu-system-x86_64',
          '-name',
          'db',
          '-object',
          '{"qom-type":"secret","file":"/run/user/7/libvirt/qemu/run/x/master-key.aes"}',
        ],
      },
      { kind: 'libvirt', domain: 'db' },
    ],
    [
      'libvirt of a user',
      qemu('-name db -object secret,id=m,file=/home/ann/.config/libvirt/qemu/lib/domain-1-db/master-key.aes'),
      { kind: 'libvirt', domain: 'db' },
    ],
    [
      'Proxmox',
      {
        argv: ['/usr/bin/kvm', '-id', '100', '-pidfile', '/var/run/qemu-server/100.pid'],
        cgroup: '/qemu.slice/100.scope',
      },
      { kind: 'proxmox', id: '100' },
    ],
    [
      'a container',
      qemu('-name a', { cgroup: '/system.slice/docker-0123456789abcdef.scope' }),
      { kind: 'container', scope: 'docker-0123456789abcdef.scope' },
    ],
    [
      'a pod',
      qemu('-name a', {
        cgroup: '/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123456789abcdef.scope',
      }),
      { kind: 'container', scope: 'kubepods.slice' },
    ],
  ];
  it.each(OWNERS)('is %s', (_what, process, owner) => {
    expect(findIn({ 7: process }).map((vm) => vm.owner)).toEqual([owner]);
  });

  it('is vmpulse where a record of exactly this process lies beside its monitor', () => {
    const folder = join(testFolder(), 'vms', 'lab', 'web-1');
    mkdirSync(folder, { recursive: true });
    const process = qemu(
      `-chardev socket,id=m,path=${folder}/qmp.sock,server=on -mon chardev=m,mode=control`,
    );
    const owner = () => findIn({ 7: process })[0]?.owner;
    expect(owner()).toEqual({ kind: 'user', uid: 0 });
    writeFileSync(join(folder, 'vmm.pid'), JSON.stringify({ pid: 7, startTimeTicks: 1006 }));
    expect(owner()).toEqual({ kind: 'user', uid: 0 });
    writeFileSync(join(folder, 'vmm.pid'), JSON.stringify({ pid: 7, startTimeTicks: 1007 }));
    expect(owner()).toEqual({ kind: 'vmpulse', vm: 'lab/web-1' });
  });
});

describe('domains of libvirt', () => {
  const OTHER = '11111111-2222-3333-4444-555555555555';
  const text = ` ${UUID.toUpperCase()} db one\n\n${OTHER}   off\nnonsense\n`;

  it('are read from what virsh lists', () => {
    expect(parseDomains(text)).toEqual([
      { uuid: UUID, name: 'db one' },
      { uuid: OTHER, name: 'off' },
    ]);
  });

  it('stand once each: a QEMU that is a domain is libvirt’s', () => {
    const found = findIn({ 7: qemu(`-name guest=x -uuid ${UUID}`), 8: qemu('-name mine') });
    const all = mergeDomains(found, parseDomains(text));
    expect(all.map(({ name, owner, process }) => [name, owner.kind, process?.pid])).toEqual([
      ['db one', 'libvirt', 7],
      ['mine', 'user', 8],
      ['off', 'libvirt', undefined],
    ]);
  });

  const scan = { runInPool: async () => [] as FoundVm[] };
  const call = { deadlineMs: 5_000 };

  it('are not missed where there is no virsh', async () => {
    const run = async () => {
      throw Object.assign(new Error('spawn virsh ENOENT'), { code: 'ENOENT' });
    };
    expect(await findVms({ ...scan, run }, call)).toEqual({ vms: [], warnings: [] });
  });

  it('are told of where virsh does not answer', async () => {
    const run = async () => ({ code: 1, stdout: '', stderr: 'error: failed to connect\nmore' });
    expect((await findVms({ ...scan, run }, call)).warnings).toEqual([
      'libvirt was not asked: error: failed to connect',
    ]);
  });

  it('are only listed', async () => {
    const asked: string[] = [];
    const run = async (argv: readonly string[]) => {
      asked.push(argv.join(' '));
      return { code: 0, stdout: text, stderr: '' };
    };
    expect((await findVms({ ...scan, run }, call)).vms).toHaveLength(2);
    expect(asked).toEqual(['virsh --readonly --quiet --connect qemu:///system list --all --uuid --name']);
  });
});
