import { describe, expect, it } from 'vitest';
import { DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import { policyVm, Stage, WEB } from './stage.js';

/** A VM with conclusive evidence against it, kept back by whatever `before` did. */
function panicked(before: (s: Stage) => void, options = {}): Stage {
  const s = new Stage().healthy(options);
  before(s);
  s.vmm({ type: 'panicked', action: 'pause' });
  return s;
}

const held = (s: Stage) => s.explain().holds.map((h) => h.rule);

describe('a rule that holds', () => {
  it('observe-only says once what it would do, and acts once recovery is enabled', () => {
    const s = panicked(() => {}, { recovery: { enabled: false } });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual(['observe-only']);
    expect(s.rules('would')).toEqual(['observe-only']);
    expect(s.health()).toBe('unhealthy');
    const spec = s.state.vms.get(WEB)?.spec;
    if (!spec) throw new Error('not configured');
    s.send({ type: 'vm-configured', vm: { ...spec, recovery: { ...spec.recovery, enabled: true } } });
    expect(s.steps).toEqual(['reset']);
  });

  it('observe-only never starts a VM either', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.vmm({ type: 'exited' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.rules('would')).toEqual(['observe-only']);
  });

  it.each([WEB, null])('a person holds %s until they resume', (vm) => {
    const s = panicked((stage) =>
      stage.send({ type: 'hold', vm, reason: 'drill', author: 'ada', untilMs: null }),
    );
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual(['person-hold']);
    expect(s.rules('hold').filter((rule) => rule === 'person-hold')).toHaveLength(2);
    s.send({ type: 'unhold', vm, author: 'ada' });
    expect(s.steps).toEqual(['reset']);
  });

  it.each([WEB, null])('a hold on %s ends with its time limit', (vm) => {
    const s = panicked((stage) =>
      stage.send({ type: 'hold', vm, reason: 'drill', author: 'ada', untilMs: stage.now + 60_000 }),
    );
    s.advance(59_999);
    expect(s.steps).toEqual([]);
    s.advance(1);
    expect(s.steps).toEqual(['reset']);
  });

  it('a time limit that no date can name is none', () => {
    const s = panicked((stage) =>
      stage.send({ type: 'hold', vm: null, reason: 'x', author: 'ada', untilMs: Number.MAX_VALUE }),
    );
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.explain().holds).toMatchObject([{ rule: 'person-hold', untilMs: null }]);
  });

  it('the hold of one VM does not hold another', () => {
    const s = new Stage().healthy().healthy({ id: 'test/db' });
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: null });
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/db');
    expect(s.actions.map((a) => a.vm)).toEqual(['test/db']);
  });

  it('a failed journal holds until a person resumes, and not before it is back', () => {
    const s = panicked((stage) => stage.send({ type: 'journal', available: false }));
    expect(held(s)).toEqual(['journal-unavailable']);
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(s.steps).toEqual([]);
    s.send({ type: 'journal', available: true });
    s.advance(60_000);
    expect(s.steps).toEqual([]);
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(s.steps).toEqual(['reset']);
  });

  it('a journal that is lost is told, and holds also what would be a start-up', () => {
    const s = new Stage();
    s.send({ type: 'journal-lost', why: 'it is another one' });
    s.healthy({ runStrategy: 'RerunOnFailure' });
    s.send({ type: 'vm-configured', vm: policyVm({ id: 'test/off', runStrategy: 'RerunOnFailure' }) });
    s.send({ type: 'vm-looked', vm: 'test/off', running: false });
    s.vmm({ type: 'panicked', action: 'pause' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual(['journal-unavailable']);
    expect(s.explain('test/off').sentences.join(' ')).toMatch(/it is another one/);
    expect(s.escalations).toEqual([expect.stringMatching(/it is another one.*maintenance/)]);
    const next = s.restart();
    expect(next.state.host.journalHold).toContain('it is another one');
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(s.steps).toEqual(['reset', 'start']);
  });

  it('run strategy Halted: nothing is done to a VM that should be off', () => {
    const s = panicked(() => {}, { runStrategy: 'Halted' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual(['run-strategy']);
  });

  it('a pause by a person holds an open episode', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: s.now + 10_000 });
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer({ liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' });
    s.vmm({ type: 'paused' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual(['paused']);
  });

  it('the runtime may hold an action; it costs nothing and is offered again then', () => {
    const s = panicked(() => {});
    const action = s.inFlight();
    if (!action) throw new Error('nothing in flight');
    const retryAtMs = s.now + 10_000;
    s.send({
      type: 'action-held',
      vm: WEB,
      actionId: action.id,
      rule: 'action-held',
      reason: 'backup runs',
      retryAtMs,
    });
    expect(held(s)).toEqual(['action-held']);
    expect(s.explain().budget).toMatchObject({ consecutiveUsed: 0, rolling24hUsed: 0 });
    expect(s.explain().episode?.attempts).toEqual([]);
    s.advance(9_999);
    expect(s.steps).toHaveLength(1);
    s.advance(1);
    expect(s.steps).toEqual(['reset', 'reset']);
    expect(s.actions[1]?.id).not.toBe(action.id);
    expect(s.actions[1]?.attempt).toBe(1);
  });

  it('a pre-start hook that does not want a start costs nothing, and is asked at a growing distance', () => {
    const s = panicked(() => {});
    const refuse = () => {
      const action = s.inFlight();
      if (!action) throw new Error('nothing in flight');
      const why = 'pre-start hook /x: exit status 1';
      s.send({
        type: 'action-held',
        vm: WEB,
        actionId: action.id,
        rule: 'pre-start',
        reason: why,
        retryAtMs: s.now,
      });
      expect(s.explain().holds).toMatchObject([{ rule: 'pre-start', text: why }]);
      const { holds, budget, episode } = s.explain();
      expect(budget).toMatchObject({ consecutiveUsed: 0, rolling24hUsed: 0 });
      expect(episode?.attempts).toEqual([]);
      return (holds[0]?.untilMs ?? 0) - s.now;
    };
    const distances: number[] = [];
    for (let n = 0; n < 8; n++) {
      const before = s.steps.length;
      distances.push(refuse());
      s.advance(distances.at(-1) ?? 0);
      expect(s.steps).toHaveLength(before + 1);
    }
    const { baseMs, capMs } = DEFAULT_RECOVERY.backoff;
    expect(distances[0]).toBeGreaterThanOrEqual(Math.min(baseMs, capMs));
    expect(distances[1]).toBeGreaterThan(distances[0] ?? 0);
    expect(distances.at(-1)).toBe(capMs);
    expect(s.explain().health).not.toBe('quarantined');
  });

  it('a runtime that holds without a pause makes no busy loop', () => {
    const s = panicked(() => {});
    const action = s.inFlight();
    if (!action) throw new Error('nothing in flight');
    s.send({
      type: 'action-held',
      vm: WEB,
      actionId: action.id,
      rule: 'action-held',
      reason: 'no',
      retryAtMs: 0,
    });
    expect(s.steps).toHaveLength(1);
    s.advance(1_000);
    expect(s.steps).toHaveLength(2);
  });

  it('an action in flight holds every other', () => {
    const s = panicked(() => {});
    s.vmm({ type: 'watchdog', action: 'pause' });
    s.vmm({ type: 'exited' });
    s.advance(60_000);
    expect(s.steps).toEqual(['reset']);
  });

  it('an action that never ends is reported once and still holds', () => {
    const s = panicked(() => {});
    s.advance(86_400_000);
    expect(s.steps).toEqual(['reset']);
    expect(s.rules('escalate')).toEqual(['action-overdue']);
  });

  it('the end of an action that is not in flight is ignored and noted', () => {
    const s = panicked(() => {});
    s.send({ type: 'action-ended', vm: WEB, actionId: 'no such', result: { result: 'done' } });
    expect(s.inFlight()?.step).toBe('reset');
    expect(s.rules('note')).toContain('action-unknown');
  });

  it('an answer to another fresh look is ignored', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    s.send({ type: 'confirmed', vm: WEB, confirmId: 'no such', outcomes: {} });
    expect(s.asked).toBeDefined();
  });

  it('an event of a VM that nobody knows is noted and changes nothing', () => {
    const s = new Stage();
    s.vmm({ type: 'exited' }, 'test/ghost');
    expect(s.rules('note')).toEqual(['ignored']);
    expect(s.state.vms.size).toBe(0);
  });

  it('names all that hold, the first in charge, and when the step can come', () => {
    const s = panicked((stage) => {
      stage.send({ type: 'hold', vm: null, reason: 'a', author: 'ada', untilMs: stage.now + 60_000 });
      stage.send({ type: 'hold', vm: WEB, reason: 'b', author: 'bob', untilMs: stage.now + 90_000 });
    });
    expect(s.explain().holds.map((h) => h.untilMs)).toEqual([s.now + 60_000, s.now + 90_000]);
    expect(s.explain().next).toMatchObject({ step: 'reset', atMs: s.now + 90_000 });
    s.advance(90_000);
    expect(s.steps).toEqual(['reset']);
  });
});
