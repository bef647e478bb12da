import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { LAB_GUEST, labKernelLine } from '../../lab/vm.mjs';
import { labAvailable, needsLab } from '../lab/availability.js';
import { PrivateLibvirtd, whyNoLibvirt } from './libvirtd.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

const NAMESPACE = `vmpulse-lv-${process.pid}`;
const UNDER = ['ip', 'netns', 'exec', NAMESPACE];
const HOST = '10.78.0.1';
const GUEST = '10.78.0.2';

/** A network namespace of this test's own, with libvirt, the daemon and its VM in it. */
const ip = (...args: string[]) =>
  execFileSync('ip', ['-n', NAMESPACE, ...args], { encoding: 'utf8', timeout: 20_000, stdio: 'pipe' });

describe('a domain of libvirt behind a TAP device that vmpulse makes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmp-n-'));
  const libvirtd = new PrivateLibvirtd(folder, { under: UNDER, qemus: 'own-user' });
  let daemon: DaemonUnderTest;
  let skip = whyNoLibvirt();

  beforeAll(async () => {
    const lab = labAvailable();
    if (!lab.ok || skip !== undefined) return;
    if (spawnSync('ip', ['netns', 'add', NAMESPACE]).status !== 0) {
      skip = 'no network namespace can be made here: it needs CAP_SYS_ADMIN';
      return;
    }
    ip('link', 'set', 'lo', 'up');
    chmodSync(folder, 0o711);
    await libvirtd.start();
    const libvirt = {
      uri: libvirtd.uri,
      accel: 'tcg',
      machine: 'q35',
      memory: `${LAB_GUEST.memoryMib}Mi`,
      interfaces: [{ tap: { device: 'tap0', bridge: 'vmbr0', create: true } }],
      kernel: { image: lab.kernel, initrd: lab.initrd, append: labKernelLine({ address: `${GUEST}/24` }) },
    };
    daemon = await DaemonUnderTest.create(['web'], {
      under: UNDER,
      prepare: (world) => {
        const config = parse(readFileSync(world.config, 'utf8'));
        const networks = [{ bridge: 'vmbr0', address: `${HOST}/24` }];
        writeFileSync(world.config, stringify({ ...config, networks }));
        const timing = { periodMs: 1000, timeoutMs: 800, failureThreshold: 3 };
        configureVm(world, 'web', {
          address: GUEST,
          hypervisor: { libvirt },
          livenessProbe: { tcpSocket: { port: LAB_GUEST.httpPort }, ...timing },
          probes: [
            { name: 'link', tapLink: {}, ...timing, failureThreshold: 1 },
            { name: 'agent', guestAgentPing: {}, periodSeconds: 4, timeoutSeconds: 3 },
            { name: 'state', vmState: {}, periodSeconds: 2, timeoutSeconds: 1 },
          ],
        });
      },
    });
    await daemon.allHealthy();
  }, 5 * MINUTE);
  beforeEach((context) => {
    needsLab(context);
    if (skip !== undefined) context.skip(skip);
  });
  afterAll(async () => {
    await daemon?.dispose();
    await libvirtd.end();
    spawnSync('ip', ['netns', 'del', NAMESPACE]);
    rmSync(folder, { recursive: true, force: true });
  }, 2 * MINUTE);

  const link = (name: string) => JSON.parse(ip('-json', '-details', 'link', 'show', name))[0];

  it('is reached over it, counted, and told as what the document says', async () => {
    expect(link('tap0')).toMatchObject({ master: 'vmbr0', linkinfo: { info_data: { type: 'tap' } } });
    expect(libvirtd.virsh('domiflist', 'demo_web')).toMatch(/tap0\s+ethernet\s+-\s+virtio/);
    expect(daemon.cli('network', 'check')).toEqual({ status: 0, output: 'nothing is wrong\n' });
    const { probes } = await daemon.vm('web');
    expect(probes.map(({ name, state }) => [name, state])).toContainEqual(['link', 'ok']);
  });

  it('is reached again when the device went down, without another VMM', { timeout: 5 * MINUTE }, async () => {
    const { vmm } = await daemon.vm('web');
    ip('link', 'set', 'tap0', 'down');
    const { pastEpisodes } = await daemon.explainedOnce(
      'has been mended',
      'web',
      (it) => it.episode === null && it.pastEpisodes.length > 0 && it.health === 'healthy',
      4 * MINUTE,
    );
    expect(pastEpisodes.at(-1)).toMatchObject({ diagnosis: { cause: 'link-broken' }, outcome: 'recovered' });
    expect((await daemon.vm('web')).vmm).toEqual(vmm);
  });

  it('gets the device anew with its next start', { timeout: 5 * MINUTE }, async () => {
    const { vmm } = await daemon.vm('web');
    ip('link', 'del', 'tap0');
    await daemon.vmOnce(
      'with another VMM',
      'web',
      (vm) => vm.vmm !== null && vm.vmm.pid !== vmm?.pid && vm.health === 'healthy',
      4 * MINUTE,
    );
    expect(link('tap0')).toMatchObject({ master: 'vmbr0', operstate: 'UP' });
  });
});
