import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTakesInterrupts, sumOfInjections } from '../../../src/hypervisors/qemu/vcpus.js';
import type { VcpuReading } from '../../../src/model/vcpu.js';
import { lookOnce } from '../../../src/probes/external.js';
import { PROBE_KINDS } from '../../../src/probes/registry.js';
import { compare } from '../../../src/probes/vcpu-progress/compare.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';

const PERIOD_MS = 10_000;
const UNKNOWN = { result: 'inconclusive', reason: 'prober-resources' };
const STALLED = { result: 'failed', reason: 'vcpu-stalled' };
const OK = { result: 'ok' };

const injections = (total: number): VcpuReading => ({ source: 'injections', total });
const registers = (takesInterrupts: boolean): VcpuReading => ({ source: 'registers', takesInterrupts });
const thread = (busyMs: number, sleeps: number, tid = 7) => ({ tid, busyMs, sleeps });
const threads = (...list: ReturnType<typeof thread>[]): VcpuReading => ({ source: 'threads', threads: list });

/** A probe of a VM whose readings the test gives. */
function watch() {
  const clock = new ManualClock();
  let reading: VcpuReading | undefined;
  const probe = PROBE_KINDS.vcpuProgress.open(
    { kind: 'vcpuProgress', stalledAfterMs: 20_000 },
    {
      vm: vmSpec('web'),
      probe: 'vcpus',
      timing: { periodMs: PERIOD_MS, timeoutMs: 1_000 },
      clock,
      vcpus: async () => reading,
      runInPool: () => Promise.reject(new Error('not asked for')),
      runTogether: () => Promise.reject(new Error('not asked for')),
      resolveHost: () => Promise.reject(new Error('not asked for')),
    },
  );
  if (probe === undefined) throw new Error('vCPUs are looked at outside the engine');
  /** One look, a period after the one before. */
  const look = async (next: VcpuReading | undefined, afterMs = PERIOD_MS) => {
    await clock.advance(afterMs);
    reading = next;
    return lookOnce(probe, { timeoutMs: 1_000, clock });
  };
  return { look, probe };
}

describe('vCPU progress', () => {
  it('fails once no interrupt was taken over two windows and for long enough', async () => {
    const { look } = watch();
    expect((await look(injections(100))).outcome).toEqual(UNKNOWN);
    expect((await look(injections(101))).outcome).toEqual(OK);
    expect((await look(injections(101))).outcome).toEqual(UNKNOWN);
    const stalled = await look(injections(101));
    expect(stalled.outcome).toEqual(STALLED);
    expect(stalled.message).toContain('for 20 s');
    expect((await look(injections(102))).outcome).toEqual(OK);
  });

  it('one window, however long, is not enough', async () => {
    const { look } = watch();
    await look(injections(1));
    await look(injections(2));
    expect((await look(injections(2), 3 * PERIOD_MS)).outcome).toEqual(UNKNOWN);
  });

  it('where nothing ever moved in this boot, nothing is concluded', async () => {
    const { look, probe } = watch();
    for (let i = 0; i < 10; i++) expect((await look(injections(0))).outcome).toEqual(UNKNOWN);
    await look(injections(1));
    probe.newInstance?.();
    for (let i = 0; i < 10; i++) expect((await look(injections(1))).outcome).toEqual(UNKNOWN);
  });

  it('a gap in the looks, as a pause leaves it, begins anew', async () => {
    const { look } = watch();
    await look(registers(true));
    expect((await look(registers(false))).outcome).toEqual(OK);
    await look(registers(false));
    expect((await look(registers(false), 4 * PERIOD_MS)).outcome).toEqual(UNKNOWN);
    expect((await look(registers(false))).outcome).toEqual(UNKNOWN);
    expect((await look(registers(false))).outcome).toEqual(STALLED);
  });

  it('no source, or another one, is inconclusive and begins anew', async () => {
    const { look } = watch();
    await look(injections(1));
    await look(injections(2));
    await look(injections(2));
    expect((await look(undefined)).outcome).toEqual(UNKNOWN);
    expect((await look(injections(2))).outcome).toEqual(UNKNOWN);
    expect((await look(registers(false))).outcome).toEqual(UNKNOWN);
    expect((await look(injections(2))).outcome).toEqual(UNKNOWN);
  });
});

describe('what two looks say', () => {
  it.each([
    ['an idle guest', thread(0, 0), thread(100, 1_000), 'moving'],
    ['halted with interrupts off', thread(500, 10), thread(500, 11), 'still'],
    ['busy, or spinning', thread(0, 0), thread(9_900, 3), 'unclear'],
    ['some work, hardly a sleep', thread(0, 0), thread(4_000, 2), 'unclear'],
    ['counters that went back', thread(900, 9), thread(100, 1_000), 'unclear'],
    ['a count of sleeps that went back', thread(900, 9), thread(900, 0), 'unclear'],
  ] as const)('threads of %s', (_, before, now, motion) => {
    expect(compare(threads(before), threads(now), 10_000)).toBe(motion);
  });

  it('one vCPU that moves is enough, one that cannot be told keeps from concluding', () => {
    const rest = [thread(5, 5, 1), thread(5, 5, 2)] as const;
    expect(compare(threads(...rest), threads(thread(5, 5, 1), thread(50, 500, 2)), 10_000)).toBe('moving');
    expect(compare(threads(...rest), threads(thread(5, 5, 1), thread(9_990, 5, 2)), 10_000)).toBe('unclear');
    expect(compare(threads(...rest), threads(thread(5, 5, 1), thread(5, 5, 3)), 10_000)).toBe('unclear');
    expect(compare(threads(...rest), threads(...rest), 10_000)).toBe('still');
  });

  it('an unclear look never makes a stall', () => {
    const reading = fc.oneof(
      fc.nat(5).map(injections),
      fc.boolean().map(registers),
      fc.tuple(fc.nat(9_999), fc.nat(99)).map(([busy, sleeps]) => threads(thread(busy, sleeps))),
    );
    fc.assert(
      fc.property(reading, reading, (before, now) => {
        if (before.source !== now.source) expect(compare(before, now, 10_000)).toBe('unclear');
        if (compare(before, now, 10_000) === 'still') expect(compare(now, before, 10_000)).not.toBe('moving');
      }),
    );
  });
});

describe('what QEMU tells', () => {
  it('sums the counters of all vCPUs', () => {
    const cpu = (value: number) => ({
      provider: 'kvm',
      'qom-path': '/machine/unattached/device[0]',
      stats: [{ name: 'irq_injections', value }],
    });
    expect(sumOfInjections([cpu(3), cpu(4)])).toBe(7);
    expect(sumOfInjections([])).toBeUndefined();
    expect(sumOfInjections([{ stats: [{ name: 'exits', value: 3 }] }])).toBeUndefined();
    expect(sumOfInjections({ nonsense: true })).toBeUndefined();
  });

  it('reads the interrupt flag of every vCPU', () => {
    const text = (...flags: string[]) =>
      flags.map((f, i) => `\r\nCPU#${i}\r\nRIP=0 RFL=${f} [-------] CPL=0 HLT=1\r\n`).join('');
    expect(anyTakesInterrupts(text('00000046', '00000246'))).toBe(true);
    expect(anyTakesInterrupts(text('00000046', '00000002'))).toBe(false);
    expect(anyTakesInterrupts(text('00000046').replace('RFL', 'EFL'))).toBe(false);
    expect(anyTakesInterrupts('PC=0000 PSTATE=600003c5')).toBeUndefined();
    expect(anyTakesInterrupts(undefined)).toBeUndefined();
  });
});
