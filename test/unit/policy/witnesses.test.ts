import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROBES, probe, Stage, type VmOptions, WEB } from './stage.js';

const DEAD = {
  readiness: 'response-timeout',
  liveness: 'response-timeout',
  agent: 'agent-not-connected',
  api: 'ok',
  process: 'ok',
} as const;

/** A VM whose counters can be read, and of which nothing answers any more. */
function silent(options: VmOptions = {}): Stage {
  const s = new Stage().healthy(options);
  s.attach({ fresh: true, counters: true });
  s.allOk();
  s.probe('liveness', 'failed', 'response-timeout');
  s.answer(DEAD);
  return s;
}

const compared = (s: Stage, ...moved: string[]) => s.send({ type: 'activity', vm: WEB, moved, atMs: s.now });

const watching = (s: Stage) => s.effects.flatMap((e) => (e.type === 'watch-activity' ? [e.watch] : []));

describe('the veto by guest I/O', () => {
  it('a guest that moves nothing is reset once its counters were compared', () => {
    const s = silent();
    expect(s.steps).toEqual([]);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['io-veto']);
    s.advance(2_000);
    compared(s);
    expect(s.steps).toEqual(['reset']);
  });

  it('a guest that moves something is left alone until nothing has moved for the window', () => {
    const s = silent();
    compared(s, 'disk vda');
    s.advance(119_999);
    if (s.asked) s.answer(DEAD);
    expect(s.steps).toEqual([]);
    expect(s.explain().sentences.join(' ')).toMatch(/disk vda moved at 2030/);
    s.advance(1);
    s.answer(DEAD);
    expect(s.steps).toEqual(['reset']);
  });

  it('people are told when a guest that works keeps it from being acted on', () => {
    const s = silent();
    for (let i = 0; i < 70; i++) {
      compared(s, 'network tap0');
      s.advance(10_000);
      if (s.asked) s.answer(DEAD);
    }
    expect(s.steps).toEqual([]);
    expect(s.escalations.filter((t) => t.includes('still works'))).toHaveLength(1);
    // Once that it is being found out, once that it works; not with every move.
    expect(s.decisions.filter((d) => d.kind === 'hold' && d.rule === 'io-veto')).toHaveLength(2);
  });

  it('where nothing can be read the step is taken after a while', () => {
    const s = silent();
    s.advance(10_000);
    if (s.asked) s.answer(DEAD);
    expect(s.steps).toEqual(['reset']);
  });

  it('a VM without counters, or with a window of 0, does not wait', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'response-timeout');
    s.answer(DEAD);
    expect(s.steps).toEqual(['reset']);
    expect(silent({ recovery: { vetoWindowMs: 0 } }).steps).toEqual(['reset']);
  });

  it.each([
    ['a panic', { type: 'panicked', action: 'pause' }, ['reset']],
    ['a watchdog', { type: 'watchdog', action: 'pause' }, ['reset']],
    ['a dead process', { type: 'exited' }, ['start']],
  ] as const)('%s is acted on all the same', (_, event, steps) => {
    const s = silent();
    compared(s, 'disk vda');
    s.vmm(event);
    expect(s.steps).toEqual(steps);
  });

  it('a milder step is taken all the same', () => {
    const s = silent();
    compared(s, 'disk vda');
    s.probe('liveness', 'failed', 'connection-refused');
    s.advance(1_000);
    s.answer({ ...DEAD, liveness: 'connection-refused', agent: 'ok' });
    expect(s.steps).toEqual(['restart-service']);
  });

  it('counters are compared only while it boots or something is suspected, and start over with a boot', () => {
    const s = silent();
    const boots = [true, false];
    expect(watching(s)).toEqual([...boots, true]);
    compared(s, 'disk vda');
    s.vmm({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
    expect(watching(s)).toEqual([...boots, true, false, true]);
    expect(s.state.vms.get(WEB)?.activity.movedAtMs).toBeNull();
    s.allOk();
    expect(watching(s)).toEqual([...boots, true, false, ...boots]);
  });

  it('is evidence of the diagnosis', () => {
    const s = silent();
    compared(s, 'disk vda');
    s.advance(6_000);
    s.probe('readiness', 'failed', 'response-timeout');
    s.advance(1_000);
    s.answer(DEAD);
    const { evidence } = s.explain();
    expect(evidence.find((e) => e.source === 'guest I/O')?.text).toBe('disk vda moved');
  });

  it('no guest that moved within the window is reset on inferred evidence, however it fails', () => {
    const turn = fc.record({ ms: fc.integer({ min: 1, max: 90_000 }), moves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
        const s = silent();
        let movedAtMs = Number.NEGATIVE_INFINITY;
        for (const { ms, moves } of turns) {
          if (s.inFlight()) return;
          compared(s, ...(moves ? ['disk vda'] : []));
          if (moves) movedAtMs = s.now;
          const before = s.steps.length;
          s.advance(ms);
          if (s.asked) s.answer(DEAD);
          if (s.steps.length > before) expect(s.now - movedAtMs).toBeGreaterThanOrEqual(120_000);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('vCPUs that take interrupts', () => {
  const probes = [...PROBES, probe('vcpus', 'check', 'vcpuProgress')];

  it('let a silent guest be, until its silence has lasted', () => {
    const s = silent({ probes, recovery: { vetoWindowMs: 0 } });
    expect(s.steps).toEqual([]);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['vcpu-progress']);
    // The episode began with the streak of failures, 2 s before.
    s.advance(57_999);
    expect(s.asked).toBeUndefined();
    expect(s.steps).toEqual([]);
    s.advance(1);
    s.answer(DEAD);
    expect(s.steps).toEqual(['reset']);
  });

  it('that have stalled, or cannot be seen, hold nothing', () => {
    const stalled = new Stage().healthy({ probes });
    stalled.probe('vcpus', 'failed', 'vcpu-stalled');
    expect(stalled.explain().health).toBe('degraded');
    stalled.probe('liveness', 'failed', 'response-timeout');
    stalled.answer(DEAD);
    expect(stalled.steps).toEqual(['reset']);
  });

  it('that have stalled alone end nothing', () => {
    const s = new Stage().healthy({ probes });
    s.probe('vcpus', 'failed', 'vcpu-stalled');
    s.advance(3_600_000);
    expect(s.steps).toEqual([]);
  });

  it('do not speak for a guest that panicked', () => {
    const s = silent({ probes, recovery: { vetoWindowMs: 0 } });
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(s.steps).toEqual(['reset']);
  });
});
