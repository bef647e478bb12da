import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labKernelLine } from '../../lab/vm.mjs';
import type { ExplainView } from '../../src/runtime/views.js';
import { needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

/** Impatient, so that the whole ladder fits into a test. */
const RECOVERY = {
  'recovery.grace': '2s',
  'recovery.stableFor': '2s',
  'recovery.backoff': { base: '1s', cap: '2s', jitter: 0 },
  'recovery.maxConsecutive': 3,
};
const BACKOFF_MS = [1_000, 2_000] as const;
const APPEND = 'hypervisor.qemu.kernel.append';

let current: DaemonUnderTest | undefined;

async function create(fields: Readonly<Record<string, unknown>>): Promise<DaemonUnderTest> {
  current = await DaemonUnderTest.create(['a'], {
    prepare: (world) => configureVm(world, 'a', { ...RECOVERY, ...fields }),
  });
  return current;
}

afterEach(async () => {
  await current?.dispose();
  current = undefined;
}, MINUTE);

beforeEach((context) => {
  needsLab(context);
});

function quarantined(test: DaemonUnderTest): Promise<ExplainView> {
  return test.explainedOnce('quarantined', 'a', ({ health }) => health === 'quarantined', 2 * MINUTE);
}

/** The pauses between the end of an attempt and the begin of the next. */
function pauses(attempts: NonNullable<ExplainView['episode']>['attempts']): number[] {
  return attempts
    .slice(1)
    .map(({ startedAtMs }, i) => startedAtMs - (attempts[i]?.endedAtMs ?? Number.POSITIVE_INFINITY));
}

describe('a VM that cannot be helped', { timeout: 4 * MINUTE }, () => {
  it('never boots: the ladder with back-off, then quarantine, until a person puts it right and releases it', async () => {
    // The kernel comes up, its first program sleeps: the VMM says running, nothing in the guest ever answers.
    const test = await create({ [APPEND]: `${labKernelLine()} rdinit=/bin/sleep -- 1000000` });
    const given = await quarantined(test);
    const { episode } = given;
    expect(episode).toMatchObject({
      outcome: 'quarantined',
      diagnosis: { kind: 'guest-hung', cause: 'all-paths-dead' },
    });
    expect(episode?.attempts.map(({ step }) => step)).toEqual(['reset', 'power-cycle', 'power-cycle']);
    for (const [i, pauseMs] of pauses(episode?.attempts ?? []).entries())
      expect(pauseMs).toBeGreaterThanOrEqual(BACKOFF_MS[i] ?? Number.POSITIVE_INFINITY);
    expect(given.budget).toMatchObject({ consecutiveUsed: 3, consecutiveMax: 3, rolling24hUsed: 3 });
    expect(test.log()).toContain('demo/a is quarantined: 3 recoveries in a row did not make it stable');
    const { output } = test.cli('explain', 'a');
    expect(output).toContain('nothing in the guest answers any more');
    expect(output).toContain('3 recoveries in a row did not make it stable');
    expect(output).toContain('`vmpulse vm release demo/a` lets it out');
    expect(test.cli('status').output).toMatch(/demo\/a +quarantined +no /);

    // In quarantine nothing is done, whatever becomes of it: not even by the next daemon.
    const { vmm } = await test.vm('a');
    configureVm(test.world, 'a', {
      [APPEND]: labKernelLine({ watchdogSeconds: 5 }),
      'recovery.grace': '60s',
    });
    expect(test.cli('reload').output).toMatch(/~ demo\/a \(.*; restart of the VM required\)/);
    await test.crash();
    test.restart();
    await test.vmOnce('quarantined still', 'a', ({ health }) => health === 'quarantined');
    process.kill(vmm?.pid ?? 0, 'SIGKILL');
    const gone = await test.vmOnce('without a VMM', 'a', (vm) => vm.vmm === null);
    expect(gone.health).toBe('quarantined');

    expect(test.cli('vm', 'release', 'a')).toMatchObject({ status: 0 });
    await test.allHealthy();
    expect((await test.explain('a')).pastEpisodes.at(0)?.outcome).toBe('quarantined');
  });

  it('dies at once at every start: its last words in explain, back-off, quarantine, and then silence', async () => {
    const test = await create({ 'hypervisor.qemu.extraArgs': ['-device', 'no-such-device'] });
    const given = await quarantined(test);
    const attempts = given.episode?.attempts ?? [];
    // The one that brings it up at first is no failure yet.
    expect(attempts.map(({ step, result }) => `${step} ${result?.result}`)).toEqual(
      Array(3).fill('start failed'),
    );
    for (const pauseMs of pauses(attempts)) expect(pauseMs).toBeGreaterThanOrEqual(BACKOFF_MS[0]);
    const { output } = test.cli('explain', 'a');
    expect(output).toContain("'no-such-device' is not a valid device model name");
    expect(output).toMatch(/: start, failed after .*it ended with status 1.*\[ERR_VMPULSE_START_FAILED\]/);
    const starts = () => test.log().split('start begins').length - 1;
    expect(starts()).toBe(4);
    expect(test.cli('status', 'a').output).toContain('VMM           not running');
    // A second look, after longer than any back-off.
    const sinceMs = (await test.vm('a')).sinceMs;
    await poll('time to pass', MINUTE, () => Date.now() - sinceMs > 3 * BACKOFF_MS[1] || undefined);
    expect(starts()).toBe(4);
  });
});
