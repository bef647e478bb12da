import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemdObstacle } from '../../lab/systemd.mjs';
import { findProgram } from '../../scripts/lib/run.mjs';
import { poll } from '../lab/poll.js';
import { needsSystemd, SystemdMachine } from './machine.js';
import { allRun, groupOf, installTree, MINUTE, SERVICE, status, vmOf, writeVms } from './service.js';

/** What is open to the service is written in the unit, with its reason; less than this was never reached. */
const MAX_EXPOSURE = 4.5;

// One machine for all of them: each goes on where the one before ended.
describe('vmpulse.service', { timeout: 5 * MINUTE, retry: 0 }, () => {
  let machine: SystemdMachine;

  beforeAll(async () => {
    if (systemdObstacle() !== undefined) return;
    machine = await SystemdMachine.boot();
    installTree(machine);
    writeVms(machine, { 'web-1': {}, 'web-2': {} });
  }, 5 * MINUTE);
  afterAll(() => machine?.dispose());
  beforeEach(needsSystemd);

  it('is a unit that systemd has no objection to', () => {
    expect(machine.run('systemd-analyze', 'verify', '--man=no', SERVICE)).toBe('');
  });

  it('starts, and its VMs run in scopes of their own', async () => {
    machine.run('systemctl', 'start', SERVICE);
    expect(machine.property(SERVICE, 'StatusText')).toBe('watching 2 VMs');
    const vms = await allRun(machine, 2);
    for (const { id, vmm } of vms) {
      const scope = /\/vmpulse\.slice\/[^/]+\.scope$/;
      // It is known by its command line from before its scope is there.
      await poll(`${id} in its scope`, MINUTE, () =>
        scope.test(groupOf(machine, vmm?.pid ?? 0)) ? true : undefined,
      );
    }
    expect(groupOf(machine, status(machine).pid)).toMatch(/\/vmpulse\.service$/);
  });

  it('leaves no more open than it says', () => {
    const said = machine.run('systemd-analyze', 'security', SERVICE);
    const exposure = Number(/Overall exposure level for vmpulse.service: ([\d.]+)/.exec(said)?.[1]);
    expect(exposure).toBeLessThanOrEqual(MAX_EXPOSURE);
  });

  it('reads its configuration again on systemctl reload', async () => {
    writeVms(machine, { 'web-1': {}, 'web-2': {}, 'web-3': {} });
    machine.run('systemctl', 'reload', SERVICE);
    await allRun(machine, 3);
    expect(machine.property(SERVICE, 'StatusText')).toBe('watching 3 VMs');
  });

  it('is restarted, takes every VM over and touches none', async () => {
    const before = status(machine);
    machine.run('systemctl', 'restart', SERVICE);
    const vms = await allRun(machine, 3);
    expect(vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
    expect(status(machine).pid).not.toBe(before.pid);
  });

  it('is aborted when it hangs, comes back, and no VM has noticed', async () => {
    const before = status(machine);
    machine.run('kill', '-STOP', String(before.pid));
    await poll('systemd has restarted it', 3 * MINUTE, () =>
      machine.property(SERVICE, 'NRestarts') === '1' ? true : undefined,
    );
    const vms = await allRun(machine, 3);
    expect(vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
    expect(status(machine).pid).not.toBe(before.pid);
    expect(machine.log(SERVICE)).toContain('Watchdog timeout (limit 30s)!');
  });

  it('is killed, comes back, and no VM has noticed', async () => {
    const before = status(machine);
    machine.run('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', SERVICE);
    await poll('systemd has restarted it', MINUTE, () =>
      machine.property(SERVICE, 'NRestarts') === '2' ? true : undefined,
    );
    const vms = await allRun(machine, 3);
    expect(vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
  });

  it('is stopped, and its VMs and their sockets stay', async () => {
    const before = status(machine);
    machine.run('systemctl', 'stop', SERVICE);
    for (const { vmm } of before.vms) expect(machine.read(`/proc/${vmm?.pid}/comm`)).toContain('qemu');
    machine.run('test', '-S', '/run/vmpulse/vms/default/web-1/qmp.sock');
    machine.run('systemctl', 'start', SERVICE);
    const vms = await allRun(machine, 3);
    expect(vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
  });

  it('starts a VM whose disk is a block device', async (context) => {
    const file = join(mkdtempSync(join(tmpdir(), 'vmp-loop-')), 'disk');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, Buffer.alloc(1024 * 1024));
    const { status: failed, stdout } = spawnSync('sh', ['-c', `losetup --find --show ${file}`], {
      encoding: 'utf8',
    });
    if (failed !== 0) context.skip('no loop device can be made here');
    const device = stdout.trim();
    onTestFinished(() => void spawnSync('sh', ['-c', `losetup --detach ${device}`]));
    const [major = '', minor = ''] = readFileSync(`/sys/block/${basename(device)}/dev`, 'utf8')
      .trim()
      .split(':');
    machine.run('mknod', '-m', '0600', '/dev/vm-disk', 'b', major, minor);
    writeVms(machine, { block: { disks: [{ path: '/dev/vm-disk', format: 'raw' }] } });
    machine.run('systemctl', 'reload', SERVICE);
    await poll('it runs', 2 * MINUTE, () =>
      vmOf(status(machine), 'block').health === 'healthy' ? true : undefined,
    );
    const { vmm } = vmOf(status(machine), 'block');
    expect(machine.run('ls', '-l', `/proc/${vmm?.pid}/fd`)).toContain('/dev/vm-disk');
  });

  it('may do all that networks with NAT and raw probes need', async (context) => {
    if (findProgram('nft') === undefined) context.skip('nft is not installed');
    const probes = [{ name: 'ping', icmp: {}, periodMs: 1000, timeoutMs: 900 }];
    const tap = { device: 'tap-n', bridge: 'vmbr7', create: true };
    writeVms(
      machine,
      { net: { interfaces: [{ tap }], spec: { address: '127.0.0.1', probes } } },
      { networks: [{ bridge: 'vmbr7', address: '10.77.0.1/24', nat: true }] },
    );
    machine.run('systemctl', 'restart', SERVICE);
    const ping = () => vmOf(status(machine), 'net').probes.find(({ name }) => name === 'ping')?.state;
    await poll('the guest is pinged', 2 * MINUTE, () => (ping() === 'ok' ? true : undefined));
    machine.run('vmpulse', 'network', 'check');
    expect(machine.read('/proc/sys/net/ipv4/ip_forward')).toBe('1\n');
    expect(machine.run('nft', 'list', 'ruleset')).toContain('masquerade');
    expect(status(machine).degradations).toEqual([]);
  });
});
