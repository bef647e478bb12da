import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { vcpuThreads } from '../../src/hypervisors/vcpu/vcpu-threads.js';
import { systemClock } from '../../src/model/clock.js';
import type { VcpuReading } from '../../src/model/vcpu.js';
import { type Finding, lookOnce } from '../../src/probes/external.js';
import { PROBE_KINDS } from '../../src/probes/registry.js';
import { compare } from '../../src/probes/vcpu-progress/compare.js';
import { needsLab } from '../lab/availability.js';
import { type TinyGuest, tinyGuest } from '../lab/tiny-guest.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { DriverBench, SOON } from './driver-bench.js';
import { whyNoKvm } from './qemu-program.js';

const PERIOD_MS = 1_000;
const STALLED_AFTER_MS = 2_000;
/** Ticks of 10 ms before the guest does what it is named for: time to be seen alive. */
const TICKS = 300;
const LOOKS = 25;
/** How many of those come well after it. */
const LATE_LOOKS = 10;

const kvm = whyNoKvm();

/** What the threads alone tell, the source of hypervisors that tell nothing themselves. */
async function motionOfThreads(pid: number): Promise<string | undefined> {
  const before = await vcpuThreads(pid);
  const beganMs = performance.now();
  await delay(PERIOD_MS);
  const now = await vcpuThreads(pid);
  return before && now && compare(before, now, performance.now() - beganMs);
}

describe.each(['kvm', 'tcg'] as const)('vCPU progress of real guests under %s', (accel) => {
  let bench: DriverBench;

  beforeAll(() => {
    bench = new DriverBench();
  });
  beforeEach((context) => {
    needsLab(context);
    if (accel === 'kvm' && kvm !== undefined) context.skip(kvm);
  });
  afterAll(() => bench.close());

  /** What a probe of a fresh guest finds, look by look, and where it looked. */
  async function watched(guest: TinyGuest) {
    const driver = bench.newDriver();
    const name = `${accel}-${guest}`;
    const vm = testVm(
      { ...tinyGuest(bench.folder, guest, TICKS), accel },
      { id: `e2e/${name}`, namespace: 'e2e', name, uuid: randomUUID() },
    );
    await bench.start(driver, vm);
    const session = await bench.attached(driver, vm);
    await session.status(SOON);
    const sources = new Set<VcpuReading['source'] | undefined>();
    const probe = PROBE_KINDS.vcpuProgress.open(
      { kind: 'vcpuProgress', stalledAfterMs: STALLED_AFTER_MS },
      {
        vm,
        probe: 'vcpus',
        timing: { periodMs: PERIOD_MS, timeoutMs: SOON.deadlineMs },
        clock: systemClock,
        vcpus: async (options) => {
          const reading = await session.vcpus(options);
          sources.add(reading?.source);
          return reading;
        },
        runInPool: () => Promise.reject(new Error('not asked for')),
        runTogether: () => Promise.reject(new Error('not asked for')),
        resolveHost: () => Promise.reject(new Error('not asked for')),
      },
    );
    if (probe === undefined) throw new Error('vCPUs are looked at outside the engine');
    const findings: Finding[] = [];
    while (findings.length < LOOKS) {
      findings.push(await lookOnce(probe, { timeoutMs: SOON.deadlineMs, clock: systemClock }));
      // The period of the probe: looks that are too close see the same tick.
      await delay(PERIOD_MS);
    }
    const motion = await motionOfThreads(session.process.pid);
    await session.stop('force', SOON);
    const results = findings.map(({ outcome }) => outcome.result);
    const late = findings.slice(-LATE_LOOKS);
    return { early: results.slice(0, -LATE_LOOKS), late, sources: [...sources], motion };
  }

  it('a guest that takes interrupts is well, one that does not is stalled', async () => {
    const guests = ['idle', 'busy', 'ports', 'spin', 'halted'] as const;
    const [idle, busy, ports, spin, halted] = await Promise.all(guests.map(watched));
    for (const alive of [idle, busy, ports]) {
      expect(new Set(alive?.late.map(({ outcome }) => outcome.result))).toEqual(new Set(['ok']));
      expect(alive?.early).not.toContain('failed');
    }
    for (const hung of [spin, halted]) {
      expect(hung?.early).toContain('ok');
      for (const { outcome, message } of hung?.late ?? []) {
        expect(outcome).toEqual({ result: 'failed', reason: 'vcpu-stalled' });
        expect(message).toMatch(/taken no interrupt for \d+ s/);
      }
    }
    const motions = [idle, busy, ports, spin, halted].map((each) => each?.motion);
    expect(motions).toEqual(
      accel === 'kvm' ? ['moving', 'unclear', 'unclear', 'unclear', 'still'] : new Array(5).fill(undefined),
    );
    for (const each of [idle, busy, ports, spin, halted])
      expect(each?.sources).toEqual([accel === 'kvm' ? 'injections' : 'registers']);
  }, 180_000);
});
