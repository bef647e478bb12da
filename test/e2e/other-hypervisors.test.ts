import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { giveOrder } from '../fakes/programs/build.js';
import { poll } from '../lab/poll.js';
import { Service } from './service.js';
import { type Subject, subjects } from './subjects.js';
import { DaemonUnderTest, MINUTE } from './world.js';

const folder = mkdtempSync(join(tmpdir(), 'vmp-o-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KEYS: Readonly<Record<string, string>> = {
  'cloud-hypervisor': 'cloudHypervisor',
  firecracker: 'firecracker',
};

/** A manifest and a host document for a VM of the subject. */
function documents(subject: Subject, port: number): string {
  const metadata = { name: 'web', namespace: 'demo' };
  const { binary, kernel } = subject.spec(folder, {}) as {
    readonly binary: string;
    readonly kernel: { readonly image: string; readonly append: string };
  };
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
      uuid: crypto.randomUUID(),
      address: '127.0.0.1',
      hypervisor: { [KEYS[subject.driver] ?? '']: { binary, kernel, memory: '64Mi' } },
    },
  };
  return `${stringify(manifest)}---\n${stringify(host)}`;
}

/** A daemon with one VM of the subject. */
function daemonWith(subject: Subject, port: number): DaemonUnderTest {
  const dir = mkdtempSync(join(tmpdir(), 'vmp-d-'));
  const config = join(dir, 'config.yaml');
  const recovery = {
    enabled: true,
    stableFor: '1s',
    grace: '2s',
    vetoWindow: '1s',
    gracefulStop: '5s',
    stepTimeout: '15s',
    backoff: { base: '1s', cap: '2s', jitter: 0 },
  };
  mkdirSync(join(dir, 'vms.d'));
  writeFileSync(
    config,
    stringify({ stateDir: join(dir, 'state'), runDir: join(dir, 'run'), manifests: ['vms.d'], recovery }),
  );
  writeFileSync(join(dir, 'vms.d', 'web.yaml'), documents(subject, port));
  const vms = [
    { id: 'demo/web', name: 'web', uuid: crypto.randomUUID(), port, url: `http://127.0.0.1:${port}` },
  ];
  return DaemonUnderTest.run({ dir, config, socket: join(dir, 'run', 'vmpulse.sock'), vms });
}

/** What the failure was that this step has healed, once it is over. */
async function episodeOf(test: DaemonUnderTest, step: string): Promise<unknown> {
  return poll(`a failure healed by ${step}`, MINUTE, async () => {
    const { pastEpisodes } = await test.explain('web');
    const healed = pastEpisodes.find(
      ({ attempts, outcome }) => outcome === 'recovered' && attempts.at(-1)?.step === step,
    );
    return healed?.diagnosis;
  });
}

const service = new Service();
let current: DaemonUnderTest | undefined;

afterEach(async () => {
  await service.close();
  await current?.dispose();
  current = undefined;
}, MINUTE);

const others = subjects(folder).filter(({ driver }) => driver in KEYS);

describe.each(others)('a daemon with a VM of $name', { timeout: 6 * MINUTE }, (subject) => {
  it('starts it, starts it again when its VMM is killed, and explains it', async (context) => {
    if (subject.skip !== undefined) context.skip(subject.skip);
    await service.open();
    const test = daemonWith(subject, service.port);
    current = test;
    await test.allHealthy();
    const { vmm } = await test.vm('web');
    process.kill(vmm?.pid ?? 0, 'SIGKILL');
    await test.vmOnce(
      'with a new VMM',
      'web',
      (vm) => vm.vmm !== null && vm.vmm.pid !== vmm?.pid,
      3 * MINUTE,
    );
    await test.allHealthy();
    const dead = await episodeOf(test, 'start');
    expect(dead).toMatchObject({ kind: 'vmm-dead', cause: 'process-gone' });
    expect(test.cli('status')).toMatchObject({
      status: 0,
      output: expect.stringMatching(/demo\/web .*healthy/),
    });
    expect(test.cli('explain', 'web').output).toMatch(/process-gone/);

    // It outlives the daemon, which takes it over.
    const before = await test.vm('web');
    await test.crash();
    test.restart();
    await test.allHealthy();
    expect((await test.vm('web')).vmm).toEqual(before.vmm);
  });

  it('power-cycles it when its API hangs and its service is gone', async (context) => {
    if (subject.skip !== undefined) context.skip(subject.skip);
    if (subject.loseAnswer === undefined && !subject.name.includes('fake'))
      context.skip('its API cannot be made to hang');
    await service.open();
    const test = daemonWith(subject, service.port);
    current = test;
    await test.allHealthy();
    const { vmm } = await test.vm('web');
    await giveOrder(join(test.world.dir, 'run/vms/demo/web', subject.socket), { does: 'hang' });
    await service.close();
    await test.vmOnce(
      'with a new VMM',
      'web',
      (vm) => vm.vmm !== null && vm.vmm.pid !== vmm?.pid,
      3 * MINUTE,
    );
    await service.open();
    await test.allHealthy();
    await episodeOf(test, 'power-cycle');
    expect(test.cli('explain', 'web').output).toMatch(/power-cycle/);
  });
});
