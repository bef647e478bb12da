import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { labKernelLine } from '../../lab/vm.mjs';
import { labAvailable, needsLab } from '../lab/availability.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

const NAMESPACE = `vmpulse-${process.pid}`;
const HOST = '10.77.0.1';
const GUEST = '10.77.0.2';

/** A network namespace of this test's own, with the daemon and its VM in it. */
const inside = (...argv: string[]) =>
  execFileSync('ip', ['netns', 'exec', NAMESPACE, ...argv], {
    encoding: 'utf8',
    timeout: 20_000,
    stdio: 'pipe',
  });
const ip = (...args: string[]) => inside('ip', ...args);

describe('a real VM behind a real TAP', () => {
  let daemon: DaemonUnderTest;

  beforeAll(async () => {
    if (!labAvailable().ok) return;
    if (spawnSync('ip', ['netns', 'add', NAMESPACE]).status !== 0) return;
    ip('link', 'set', 'lo', 'up');
    daemon = await DaemonUnderTest.create(['web'], {
      under: ['ip', 'netns', 'exec', NAMESPACE],
      prepare: (world) => {
        const config = parse(readFileSync(world.config, 'utf8'));
        const networks = [{ bridge: 'vmbr0', address: `${HOST}/24` }];
        writeFileSync(world.config, stringify({ ...config, networks }));
        const port = { port: 8080 };
        const probe = { periodMs: 1000, timeoutMs: 800, failureThreshold: 3 };
        configureVm(world, 'web', {
          address: GUEST,
          'hypervisor.qemu.interfaces': [{ tap: { device: 'tap0', bridge: 'vmbr0', create: true } }],
          'hypervisor.qemu.kernel.append': labKernelLine({ address: `${GUEST}/24`, watchdogSeconds: 30 }),
          livenessProbe: { tcpSocket: port, ...probe },
          probes: [
            { name: 'link', tapLink: {}, ...probe, failureThreshold: 1 },
            { name: 'agent', guestAgentPing: {}, periodMs: 1000, timeoutMs: 800 },
            {
              name: 'process',
              vmmProcess: {},
              periodMs: 500,
              timeoutMs: 400,
              failureThreshold: 2,
              critical: true,
            },
          ],
        });
      },
    });
    await daemon.allHealthy();
  }, 5 * MINUTE);
  beforeEach((context) => {
    needsLab(context);
    if (daemon === undefined) context.skip('no network namespace can be made here: it needs CAP_SYS_ADMIN');
  });
  afterAll(async () => {
    await daemon?.dispose();
    spawnSync('ip', ['netns', 'del', NAMESPACE]);
  });

  const link = (name: string) => JSON.parse(ip('-json', '-details', 'link', 'show', name))[0];

  /** Somebody else on the bridge, in a network namespace that goes at the end. */
  function otherGuest() {
    const name = `${NAMESPACE}-c`;
    execFileSync('ip', ['netns', 'add', name]);
    onTestFinished(() => {
      spawnSync('ip', ['netns', 'del', name]);
    });
    ip(
      'link',
      'add',
      'other0',
      'master',
      'vmbr0',
      'up',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      name,
    );
    execFileSync('ip', ['-n', name, 'addr', 'add', '10.77.0.3/24', 'dev', 'eth0']);
    execFileSync('ip', ['-n', name, 'link', 'set', 'eth0', 'up']);
    const connect = (port: number) => ['timeout', '3', 'bash', '-c', `exec 3<>/dev/tcp/${GUEST}/${port}`];
    return {
      reaches: (port: number) =>
        promisify(execFile)('ip', ['netns', 'exec', name, ...connect(port)]).then(
          () => true,
          () => false,
        ),
    };
  }

  /** Waits until the episode after so many others is over; its diagnosis and steps. */
  async function episode(number: number) {
    const { pastEpisodes } = await daemon.explainedOnce(
      `has got over ${number} episodes`,
      'web',
      (it) => it.episode === null && it.pastEpisodes.length >= number && it.health === 'healthy',
      4 * MINUTE,
    );
    const last = pastEpisodes.at(-1);
    return {
      cause: last?.diagnosis.cause,
      outcome: last?.outcome,
      steps: last?.attempts.map(({ step, result }) => `${step} ${result?.result}`),
    };
  }

  it('is started on a network that was made for it', { timeout: MINUTE }, async () => {
    expect(link('vmbr0')).toMatchObject({ operstate: 'UP', linkinfo: { info_kind: 'bridge' } });
    expect(link('tap0')).toMatchObject({
      master: 'vmbr0',
      linkinfo: { info_data: { type: 'tap', persist: true } },
    });
    expect(daemon.cli('network', 'check')).toEqual({ status: 0, output: 'nothing is wrong\n' });
    const { probes } = await daemon.vm('web');
    expect(probes.find(({ name }) => name === 'link')?.state).toBe('ok');
  });

  it('is reached again after its TAP went down, left its bridge, and lost it', {
    timeout: 15 * MINUTE,
  }, async () => {
    const before = (await daemon.vm('web')).vmm;
    const faults: (() => void)[] = [
      () => ip('link', 'set', 'tap0', 'down'),
      () => ip('link', 'set', 'tap0', 'nomaster'),
      () => ip('link', 'del', 'vmbr0'),
    ];
    for (const [index, fault] of faults.entries()) {
      fault();
      expect(await episode(index + 1)).toEqual({
        cause: 'link-broken',
        outcome: 'recovered',
        steps: ['reset-network done'],
      });
      expect(link('tap0')).toMatchObject({ master: 'vmbr0', operstate: 'UP' });
      expect(ip('addr', 'show', 'vmbr0')).toContain(`${HOST}/24`);
    }
    expect((await daemon.vm('web')).vmm).toEqual(before);
  });

  it('gets a new VMM, in order, when its TAP was removed under it', { timeout: 10 * MINUTE }, async () => {
    const before = (await daemon.vm('web')).vmm;
    ip('link', 'del', 'tap0');
    expect(await episode(4)).toEqual({
      cause: 'link-lost',
      outcome: 'recovered',
      steps: ['power-cycle done'],
    });
    expect((await daemon.vm('web')).vmm?.pid).not.toBe(before?.pid);
    expect(link('tap0')).toMatchObject({ master: 'vmbr0', operstate: 'UP' });
    expect(daemon.cli('network', 'check').output).toBe('nothing is wrong\n');
  });

  it('is probed whatever its policy drops, and rules outlive the daemon', {
    timeout: 5 * MINUTE,
  }, async () => {
    const client = otherGuest();
    expect(await client.reaches(8080)).toBe(true);
    const dropped = daemon.cli('security-group', 'policy', 'drop', '--vm', 'web');
    expect(dropped.output).toContain('what no rule lets through to demo/web: drop');
    expect(await client.reaches(8080)).toBe(false);
    daemon.cli(
      'security-group',
      'add-rule',
      '--vm',
      'web',
      '--port',
      '8080',
      '--source-cidr',
      '10.77.0.0/24',
    );
    expect(await client.reaches(8080)).toBe(true);
    daemon.cli('security-group', 'remove-rule', '--vm', 'web', '--id', 'r1');
    expect(await client.reaches(8080)).toBe(false);
    daemon.cli('security-group', 'add-rule', '--vm', 'web', '--port', '22', '--comment', 'people');
    const rules = () => inside('nft', '-s', 'list', 'table', 'bridge', 'vmpulse');
    expect(rules()).toContain('tcp dport 22 counter accept comment "people"');
    expect(rules()).toContain('drop comment "demo/web: nothing lets it through"');
    inside('nft', 'delete', 'table', 'bridge', 'vmpulse');
    expect(daemon.cli('network', 'check').output).toContain('rules-missing');
    expect(daemon.cli('network', 'repair').output).toContain('rules applied\nnothing is wrong\n');
    await daemon.terminate(MINUTE);
    inside('nft', 'delete', 'table', 'bridge', 'vmpulse');
    daemon.restart();
    await daemon.allHealthy();
    expect(rules()).toContain('tcp dport 22 counter accept comment "people"');
    // Long enough for every probe to have failed by its threshold, were it dropped.
    const since = (await daemon.vm('web')).sinceMs;
    const looked = Date.now();
    await daemon.vmOnce('has been probed for a while', 'web', () => Date.now() > looked + 6_000);
    expect(await daemon.vm('web')).toMatchObject({ health: 'healthy', sinceMs: since });
  });
});
