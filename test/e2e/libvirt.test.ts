import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { PrivateLibvirtd, whyNoLibvirt } from './libvirtd.js';
import { whyNoQemu } from './qemu-program.js';
import { Service } from './service.js';
import { DaemonUnderTest, MINUTE } from './world.js';

/** Its QEMU is known by it, and this test may run twice at a time on a host. */
const KEPT = `kept-${process.pid}`;
const skip = whyNoQemu() ?? whyNoLibvirt();
const folder = mkdtempSync(join(tmpdir(), 'vmp-l-'));
const libvirtd = new PrivateLibvirtd(folder);
const service = new Service();
let current: DaemonUnderTest | undefined;

const recovery = {
  enabled: true,
  stableFor: '1s',
  grace: '2s',
  vetoWindow: '1s',
  gracefulStop: '5s',
  stepTimeout: '30s',
};

const virsh = (...args: string[]) => libvirtd.virsh(...args);

/** A domain that libvirt keeps: firmware without a disk, which goes on looking for one. */
function define(uuid: string): void {
  const xml = `<domain type="qemu"><name>${KEPT}</name><uuid>${uuid}</uuid><memory unit="MiB">64</memory>
    <os><type arch="x86_64" machine="pc">hvm</type></os><features><acpi/></features>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model="none"/></devices></domain>`;
  const path = join(folder, 'kept.xml');
  writeFileSync(path, xml);
  virsh('define', path);
}

function daemonWithKept(port: number): DaemonUnderTest {
  const dir = mkdtempSync(join(tmpdir(), 'vmp-d-'));
  const metadata = { name: 'web', namespace: 'demo' };
  const probe = { tcpSocket: { port }, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 2 };
  const manifest = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata,
    spec: { runStrategy: 'Always', template: { spec: { livenessProbe: probe } } },
  };
  const host = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata,
    spec: {
      address: '127.0.0.1',
      hypervisor: { libvirt: { uri: libvirtd.uri, adopt: { domain: KEPT } } },
      probes: [{ name: 'state', vmState: {}, periodSeconds: 2, timeoutSeconds: 1 }],
    },
  };
  const config = { stateDir: join(dir, 'state'), runDir: join(dir, 'run'), manifests: ['vms.d'], recovery };
  mkdirSync(join(dir, 'vms.d'));
  writeFileSync(join(dir, 'config.yaml'), stringify(config));
  writeFileSync(join(dir, 'vms.d', 'web.yaml'), `${stringify(manifest)}---\n${stringify(host)}`);
  const vm = {
    id: 'demo/web',
    name: 'web',
    uuid: crypto.randomUUID(),
    port,
    url: `http://127.0.0.1:${port}`,
  };
  const socket = join(dir, 'run', 'vmpulse.sock');
  return DaemonUnderTest.run({ dir, config: join(dir, 'config.yaml'), socket, vms: [vm] });
}

describe('a daemon with a domain that libvirt keeps', { timeout: 6 * MINUTE }, () => {
  beforeAll(async () => {
    if (skip !== undefined) return;
    await libvirtd.start();
    define(crypto.randomUUID());
  }, 2 * MINUTE);

  afterEach(async () => {
    await service.close();
    await current?.dispose();
  }, MINUTE);

  afterAll(async () => {
    await libvirtd.end();
    rmSync(folder, { recursive: true, force: true });
  }, MINUTE);

  it('starts it, brings it back, and leaves alone what others do and what it cannot know', async (context) => {
    if (skip !== undefined) context.skip(skip);
    await service.open();
    const test = daemonWithKept(service.port);
    current = test;
    await test.allHealthy();
    expect(virsh('domstate', KEPT).trim()).toBe('running');
    const first = (await test.vm('web')).vmm?.pid ?? 0;

    process.kill(first, 'SIGKILL');
    await test.vmOnce('started anew', 'web', ({ vmm }) => vmm !== null && vmm.pid !== first, 3 * MINUTE);
    await test.allHealthy();
    const healed = await test.explainedOnce('healed', 'web', ({ pastEpisodes }) =>
      pastEpisodes.some(({ outcome }) => outcome === 'recovered'),
    );
    expect(healed.pastEpisodes.at(-1)?.diagnosis).toMatchObject({ kind: 'vmm-dead', cause: 'process-gone' });
    const second = (await test.vm('web')).vmm?.pid ?? 0;

    virsh('suspend', KEPT);
    await test.vmOnce('paused', 'web', ({ health }) => health === 'paused');
    virsh('resume', KEPT);
    await test.allHealthy();

    // While libvirt hangs its VM has no known run state, and whatever else is wrong with it no step is possible.
    libvirtd.signal('SIGSTOP');
    await service.close();
    const isBlind = ({ probes }: { readonly probes: readonly { name: string; state: string }[] }) =>
      probes.some(({ name, state }) => name === 'state' && state === 'blind');
    await test.vmOnce('without a run state', 'web', isBlind, 2 * MINUTE);
    await test.explainedOnce('held', 'web', ({ journal }) =>
      journal.some(({ text }) => /^no step for service .*it accepts and does not answer/.test(text)),
    );
    expect((await test.vm('web')).vmm?.pid).toBe(second);
    libvirtd.signal('SIGCONT');
    await service.open();
    await test.allHealthy();
    expect((await test.vm('web')).vmm?.pid).toBe(second);
    await test.vmOnce('with its run state', 'web', ({ probes }) =>
      probes.every(({ state }) => state === 'ok'),
    );

    virsh('destroy', KEPT);
    await test.vmOnce('stopped', 'web', ({ vmm, health }) => vmm === null && health === 'stopped');
    await test.explainedOnce('explained', 'web', ({ journal }) =>
      journal.some(({ text }) => text.includes('shut down from outside (destroyed)')),
    );
    expect(virsh('domstate', KEPT).trim()).toBe('shut off');
  });
});
