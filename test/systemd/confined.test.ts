import { existsSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemdObstacle } from '../../lab/systemd.mjs';
import { findProgram } from '../../scripts/lib/run.mjs';
import type { ExplainView } from '../../src/runtime/views.js';
import { poll } from '../lab/poll.js';
import { needsSystemd, SystemdMachine } from './machine.js';
import { allRun, installTree, MINUTE, SERVICE, status, vmOf, writeVms } from './service.js';

const IMAGES = '/var/lib/images';
/** Serves QMP beside vmpulse's own monitor. */
const SECOND_MONITOR = '/run/greedy.qmp';
const USERS = { 'vm-a': 5001, 'vm-b': 5002, 'vm-c': 5003 };

/** Has QEMU take that much memory, as a leak would. */
const TAKE_MEMORY = `
const socket = require('node:net').connect(process.argv[1]);
const object = { 'qom-type': 'memory-backend-ram', id: 'leak', size: 1 << 30, prealloc: true };
socket.write(JSON.stringify({ execute: 'qmp_capabilities' }) + JSON.stringify({ execute: 'object-add', arguments: object }));
socket.on('error', () => {}).on('close', () => process.exit()).resume();
`;

const canMakeSeeds = ['xorriso', 'genisoimage'].some((name) => findProgram(name) !== undefined);

const disk = (name: string) => [{ path: `${IMAGES}/${name}.raw`, format: 'raw' }];

describe('VMs that run as users of their own', { timeout: 5 * MINUTE, retry: 0 }, () => {
  let machine: SystemdMachine;

  beforeAll(async () => {
    if (systemdObstacle() !== undefined) return;
    machine = await SystemdMachine.boot();
    installTree(machine);
    for (const [name, uid] of Object.entries(USERS)) {
      machine.run('groupadd', '--gid', String(uid), name);
      machine.run('useradd', '--system', '--no-create-home', '--uid', String(uid), '--gid', name, name);
    }
    machine.run('mkdir', '-p', IMAGES);
    for (const [name, user] of [
      ['a', 'vm-a'],
      ['b', 'vm-b'],
      ['c', 'vm-b'],
    ]) {
      machine.run('truncate', '--size=1M', `${IMAGES}/${name}.raw`);
      machine.run('chown', `${user}:${user}`, `${IMAGES}/${name}.raw`);
      machine.run('chmod', '0600', `${IMAGES}/${name}.raw`);
    }
    writeVms(machine, {
      a: {
        runAs: { user: 'vm-a' },
        limits: { memory: '1Gi', cpus: 1.5, tasks: 40 },
        disks: disk('a'),
        interfaces: [{ tap: { device: 'tap-a', create: true } }],
      },
      b: { runAs: { user: 5002 }, disks: disk('b') },
      greedy: {
        limits: { memory: '320Mi' },
        extraArgs: ['-qmp', `unix:${SECOND_MONITOR},server=on,wait=off`],
      },
    });
    machine.run('systemctl', 'start', SERVICE);
    await allRun(machine, 3);
    // Their monitors answer: the start is over.
    await poll('all are healthy', 2 * MINUTE, () =>
      status(machine).vms.every(({ health }) => health === 'healthy') ? true : undefined,
    );
  }, 5 * MINUTE);
  afterAll(() => machine?.dispose());
  beforeEach(needsSystemd);

  const pidOf = (name: string) => vmOf(status(machine), name).vmm?.pid ?? 0;
  const asUser = (uid: number, ...argv: string[]) =>
    machine.try('setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...argv);

  it('have that user, no capability, and no way to more', () => {
    for (const [name, uid] of [
      ['a', 5001],
      ['b', 5002],
    ] as const) {
      const said = machine.read(`/proc/${pidOf(name)}/status`);
      expect(said).toMatch(new RegExp(`^Uid:(\\s+${uid}){4}$`, 'm'));
      expect(said).toMatch(new RegExp(`^Gid:(\\s+${uid}){4}$`, 'm'));
      expect(said).toMatch(/^Groups:\s*$/m);
      expect(said).toMatch(/^CapPrm:\s+0+$/m);
      expect(said).toMatch(/^NoNewPrivs:\s+1$/m);
    }
  });

  it('are held to their limits', () => {
    const [scope = ''] =
      /vmpulse-default-a-[0-9a-f]{8}\.scope/.exec(machine.run('systemctl', 'list-units')) ?? [];
    expect(machine.property(scope, 'MemoryMax')).toBe(String(1 << 30));
    expect(machine.property(scope, 'CPUQuotaPerSecUSec')).toMatch(/^1\.50*s$/);
    expect(machine.property(scope, 'TasksMax')).toBe('40');
  });

  it('have a TAP device that is made for their user', () => {
    expect(machine.read('/sys/class/net/tap-a/owner')).toBe('5001\n');
    expect(machine.read('/sys/class/net/tap-a/carrier')).toBe('1\n');
  });

  it('reach nothing of another VM, and cannot change what vmpulse reads and commands', () => {
    const folder = '/run/vmpulse/vms/default';
    expect(asUser(5002, 'cat', `${IMAGES}/a.raw`).output).toContain('Permission denied');
    expect(asUser(5002, 'ls', `${folder}/a`).output).toContain('Permission denied');
    expect(asUser(5002, 'cat', `${folder}/a/console.log`).output).toContain('Permission denied');
    expect(asUser(5002, 'ls', folder).output).toContain('Permission denied');
    expect(asUser(5002, 'rm', `${folder}/b/qmp.sock`).output).toContain('Permission denied');
    expect(asUser(5002, 'touch', `${folder}/b/new`).output).toContain('Permission denied');
    for (const path of ['/var/lib/vmpulse/journal.db', '/run/vmpulse/vmpulse.sock'])
      expect(asUser(5002, 'test', '-r', path).status).not.toBe(0);
  });

  it('are taken over by a daemon that is restarted', async () => {
    const before = status(machine);
    machine.run('systemctl', 'restart', SERVICE);
    const vms = await allRun(machine, 3);
    expect(vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
  });

  it('are not started where their user lacks a right, and it is said which', async () => {
    writeVms(machine, { c: { runAs: { user: 'vm-c' }, disks: disk('c') } });
    machine.run('systemctl', 'reload', SERVICE);
    const why = await poll('the start is refused', MINUTE, () => {
      const log = machine.log(SERVICE);
      return /disk disk0: user 5003 may not read and write \/var\/lib\/images\/c\.raw/.exec(log)?.[0];
    });
    expect(why).toBeDefined();
    expect(vmOf(status(machine), 'c').vmm).toBeNull();
  });

  it('are others than the one whose memory runs out', async () => {
    const before = status(machine);
    machine.run(process.execPath, '-e', TAKE_MEMORY, SECOND_MONITOR);
    const after = await poll('another VMM of greedy', 2 * MINUTE, () => {
      const now = status(machine);
      const { vmm } = vmOf(now, 'greedy');
      return vmm !== null && vmm.startTimeTicks !== vmOf(before, 'greedy').vmm?.startTimeTicks
        ? now
        : undefined;
    });
    for (const name of ['a', 'b']) expect(vmOf(after, name).vmm).toEqual(vmOf(before, name).vmm);
    expect(after.pid).toBe(before.pid);
    const explain: ExplainView = JSON.parse(machine.run('vmpulse', 'explain', 'greedy', '--json'));
    const episode = explain.episode ?? explain.pastEpisodes.at(-1);
    expect(episode?.diagnosis).toMatchObject({ kind: 'host-memory', cause: 'out-of-memory' });
  });

  it('read the cloud-init disk that is made for them', async (context) => {
    if (!canMakeSeeds) context.skip('neither xorriso nor genisoimage is installed');
    writeVms(machine, {
      seeded: { runAs: { user: 'vm-c' }, spec: { cloudInit: { userData: '#cloud-config\n' } } },
    });
    machine.run('systemctl', 'reload', SERVICE);
    await poll('seeded runs', 2 * MINUTE, () =>
      vmOf(status(machine), 'seeded').health === 'healthy' ? true : undefined,
    );
    const seed = '/var/lib/vmpulse/vms/default/seeded/seed.iso';
    expect(machine.run('ls', '-l', `/proc/${pidOf('seeded')}/fd`)).toContain(seed);
    expect(asUser(5003, 'head', '-c', '1', seed).status).toBe(0);
    expect(asUser(5002, 'head', '-c', '1', seed).output).toContain('Permission denied');
    expect(asUser(5003, 'ls', '/var/lib/vmpulse').output).toContain('Permission denied');
  });

  it('get KVM by the group that it is given to', async (context) => {
    if (!existsSync('/dev/kvm')) context.skip('there is no /dev/kvm');
    machine.run('groupadd', '--force', '--gid', '5107', 'vm-kvm');
    machine.run('chgrp', 'vm-kvm', '/dev/kvm');
    writeVms(machine, { k: { runAs: { user: 'vm-c' }, accel: 'kvm' } });
    machine.run('systemctl', 'reload', SERVICE);
    await poll('k runs on KVM', 2 * MINUTE, () =>
      vmOf(status(machine), 'k').health === 'healthy' ? true : undefined,
    );
    expect(machine.read(`/proc/${pidOf('k')}/status`)).toMatch(/^Groups:\s+5107\s*$/m);
    expect(machine.run('ls', '-l', `/proc/${pidOf('k')}/fd`)).toContain('kvm-vm');
  });
});
