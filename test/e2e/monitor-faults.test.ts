import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../demo/processes.mjs';
import { labAvailable, needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { QmpClient } from '../lab/qmp-client.js';
import { bootLabVm, type LabVm } from '../lab/vm.js';
import { writeAdoptedVm } from './adopted-vm.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

const HANGING_MONITOR = fileURLToPath(new URL('./hanging-monitor.mjs', import.meta.url));
/** Much longer than `wedgedAfter`, after which a VMM may be ended whose guest is silent, too. */
const WEDGED_AFTER = '2s';
const LONG_MS = 5_000;

let current: DaemonUnderTest | undefined;
const children: ChildProcess[] = [];

async function create(...args: Parameters<typeof DaemonUnderTest.create>): Promise<DaemonUnderTest> {
  current = await DaemonUnderTest.create(...args);
  return current;
}

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await current?.dispose();
  current = undefined;
}, MINUTE);

beforeEach((context) => {
  needsLab(context);
});

/** A server of something else, as a process of its own: whoever takes it for a VMM could signal it. */
async function serveBanner(path: string): Promise<ChildProcess> {
  const script = `require('node:net').createServer((s) => {
    s.on('error', () => {});
    s.write('SSH-2.0-OpenSSH_9.2\\r\\n');
  }).listen(${JSON.stringify(path)});`;
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  children.push(child);
  await poll('the server', MINUTE, () => existsSync(path) || undefined);
  return child;
}

describe('a monitor of a guest that somebody else started', { timeout: 3 * MINUTE }, () => {
  let guest: LabVm;
  let dir: string;

  beforeAll(async () => {
    if (!labAvailable().ok) return;
    dir = mkdtempSync(join(tmpdir(), 'vmpulse-test-'));
    guest = await bootLabVm({ name: 'guest', dir });
    await guest.waitReady();
  }, 2 * MINUTE);

  afterAll(async () => {
    await guest?.kill();
    if (dir !== undefined) rmSync(dir, { recursive: true });
  });

  it('is no QMP: said so, and nothing is done', async () => {
    const socket = join(dir, 'banner.sock');
    const server = await serveBanner(socket);
    const test = await create([], {
      prepare: (world) => writeAdoptedVm(world, 'a', { qmpSocket: socket, httpPort: guest.httpPort }),
    });
    await test.vmOnce('degraded', 'a', ({ health }) => health === 'degraded');
    const explained = await test.explainedOnce('diagnosed', 'a', ({ episode }) => episode !== null);
    expect(explained.episode?.diagnosis).toMatchObject({ kind: 'vmm-wedged', cause: 'api-silent' });
    expect(explained.probes.find(({ name }) => name === 'monitor')).toMatchObject({ state: 'failed' });
    const { output } = test.cli('status');
    expect(output).toMatch(
      /^! monitor\/demo\/a: what serves the monitor's socket is no monitor .*SSH-2\.0-OpenSSH/m,
    );
    // The guest dies, too. What answers on that socket is still not the VMM's monitor.
    await guest.fault('hang-httpd');
    const silent = await test.explainedOnce('given to a person', 'a', ({ holds }) =>
      holds.some(({ rule }) => rule === 'ladder-exhausted'),
    );
    expect(silent.episode?.attempts).toEqual([]);
    expect(server.exitCode).toBeNull();
    expect(server.signalCode).toBeNull();
    expect(test.log()).not.toContain('begins');
    expect(test.cli('explain', 'a').output).toMatch(/is no monitor \(protocol-error: .*SSH-2\.0-OpenSSH/);
  });

  it('is held by another client: no conclusion and no action until that one leaves', async () => {
    const other = await QmpClient.connect(guest.qmpPath);
    try {
      // The guest of the test before has no web server any more.
      await other.execute('system_reset');
      await guest.waitReady();
      const test = await create([], {
        prepare: (world) =>
          writeAdoptedVm(world, 'a', { qmpSocket: guest.qmpPath, httpPort: guest.httpPort }),
      });
      const blind = await test.vmOnce('blind', 'a', ({ probes }) =>
        probes.some(({ name, state }) => name === 'monitor' && state === 'blind'),
      );
      expect(blind.probes.find(({ name }) => name === 'monitor')?.reason).toBe('channel-busy');
      await test.vmOnce('healthy', 'a', ({ health }) => health === 'healthy');
      expect((await test.vm('a')).note).toContain('no conclusive result from monitor (channel-busy)');
      expect(test.cli('status').output).toMatch(/^! monitor\/demo\/a: .*another client holds it/m);

      const before = await guest.bootId();
      await guest.fault('panic');
      const held = await test.explainedOnce(
        'with a fresh look that settled nothing',
        'a',
        ({ health, holds }) => health === 'unhealthy' && holds.some(({ rule }) => rule === 'observer'),
      );
      expect(held.episode).toBeNull();
      expect(test.cli('explain', 'a').output).toContain('the VMM could not be asked whether the guest runs');
      expect(test.log()).not.toContain('begins');
      expect(await other.status()).toBe('guest-panicked');

      other.close();
      const { pastEpisodes } = await test.explainedOnce('recovered', 'a', (explanation) =>
        explanation.pastEpisodes.some(({ outcome }) => outcome === 'recovered'),
      );
      const healed = pastEpisodes.at(-1);
      expect(healed?.diagnosis).toMatchObject({ kind: 'guest-hung', cause: 'guest-panicked' });
      expect(healed?.attempts.map(({ step }) => step)).toEqual(['reset']);
      expect(await guest.bootId()).not.toBe(before);
      expect((await test.status()).degradations.map(({ what }) => what)).not.toContain('monitor/demo/a');
    } finally {
      other.close();
    }
  });
});

describe('a monitor that hangs', { timeout: 3 * MINUTE }, () => {
  it('degrades a VM whose guest lives, and never ends it', async () => {
    const test = await create(['a'], {
      prepare: (world) => {
        const binary = join(world.dir, 'qemu');
        writeFileSync(binary, `#!/bin/sh\nexec '${process.execPath}' '${HANGING_MONITOR}' "$@"\n`);
        chmodSync(binary, 0o755);
        configureVm(world, 'a', {
          'hypervisor.qemu.binary': binary,
          'recovery.wedgedAfter': WEDGED_AFTER,
          'probes.2': { name: 'monitor', vmState: {}, periodMs: 500, timeoutMs: 400, failureThreshold: 2 },
        });
      },
    });
    await test.allHealthy();
    const { vmm } = await test.vm('a');
    if (!vmm) throw new Error('no VMM');
    const before = await test.bootId('a');

    /** Degraded for the silence alone, for long, with VMM and guest as they were. */
    const lasts = async (what: string) => {
      // The episode opens once a fresh look has run into its deadlines, which takes as long as the machine is slow.
      const explained = await test.explainedOnce(
        `${what}, for long, and held for that`,
        'a',
        ({ probes, episode, holds }) => {
          const api = probes.find(({ name }) => name === 'monitor');
          const isSilent = api?.state === 'failed' && api.reason === 'api-unreachable';
          const isHeld = holds.length === 1 && holds[0]?.rule === 'api-silence';
          return isSilent && Date.now() - api.sinceMs > LONG_MS && episode !== null && isHeld;
        },
      );
      expect(explained).toMatchObject({ health: 'degraded', vmm, budget: { rolling24hUsed: 0 } });
      expect(explained.episode?.attempts).toEqual([]);
      expect(explained.holds[0]?.text).toContain('it is not ended for that alone');
      expect(isAlive(vmm)).toBe(true);
      expect(await test.bootId('a')).toBe(before);
    };

    process.kill(vmm.pid, 'SIGUSR1');
    await lasts('silent in the middle');
    // The next daemon is greeted and never answered.
    await test.crash();
    test.restart();
    await lasts('silent from the start');

    process.kill(vmm.pid, 'SIGUSR2');
    await test.vmOnce('healthy', 'a', ({ health }) => health === 'healthy');
    expect(await test.vm('a')).toMatchObject({ vmm });
    expect(await test.bootId('a')).toBe(before);
    expect(test.log().split('start begins')).toHaveLength(2);
  });
});
