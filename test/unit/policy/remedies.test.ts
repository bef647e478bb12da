import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LADDER_STEPS } from '../../../src/model/action.js';
import { newWar, noteEdit } from '../../../src/policy/edit-war.js';
import { STEPS, Stage, WEB } from './stage.js';

describe('storage', () => {
  const full = (s: Stage) => {
    s.vmm({ type: 'io-error', device: 'vda', noSpace: true });
    s.vmm({ type: 'paused' });
    s.vmm({ type: 'run-state', status: 'io-error' });
  };

  it('without space: people are told, and it goes on once there is space, never by a reset', () => {
    const s = new Stage().healthy();
    full(s);
    expect(s.steps).toEqual(['resume']);
    expect(s.explain().episode?.diagnosis).toMatchObject({ kind: 'storage', cause: 'disk-full' });
    expect(s.escalations).toEqual([expect.stringMatching(/no space left; .* free space/)]);
    s.end({ result: 'impossible', code: 'ERR_VMPULSE_NO_SPACE', message: '0 bytes are free' });
    s.advance(299_000);
    expect(s.steps).toEqual(['resume']);
    s.advance(1_000);
    expect(s.steps).toEqual(['resume', 'resume']);
    s.boot();
    s.advance(100_000);
    expect(s.health()).toBe('healthy');
    expect(s.explain().episode).toBeNull();
  });

  it('of a guest that boots: it goes on as well, and still has its grace', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    full(s);
    expect(s.steps).toEqual(['resume']);
    s.end({ result: 'done' });
    s.vmm({ type: 'resumed' });
    s.probe('liveness', 'failed', 'response-timeout');
    s.advance(30_000);
    expect(s.steps).toEqual(['resume']);
    expect(s.asked).toBeUndefined();
  });

  it('an I/O error that is none of space is only told', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'io-error', device: 'vda', noSpace: false });
    s.vmm({ type: 'paused' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
  });

  it('of many VMs at once: each goes on by itself, although they share a cause', () => {
    const s = new Stage({ sharedCauseMinVms: 2, brakeMinVms: 2 });
    for (const id of ['a/1', 'a/2', 'a/3']) {
      s.healthy({ id });
      s.vmm({ type: 'io-error', device: 'vda', noSpace: true }, id);
      s.vmm({ type: 'paused' }, id);
    }
    expect(s.state.host.incident).not.toBeNull();
    expect(s.steps).toEqual(['resume', 'resume']);
  });
});

describe('memory of the host', () => {
  const signs = (memory: string | null) => ({
    type: 'host-signs' as const,
    signs: { shutdown: null, pressure: null, memory },
  });

  it('a VMM ended for want of it is started once there is some', () => {
    const s = new Stage().healthy();
    s.send(signs('1 % of it is available'));
    s.vmm({ type: 'oom-killed' });
    s.vmm({ type: 'exited' });
    expect(s.explain().episode?.diagnosis).toMatchObject({ kind: 'host-memory', cause: 'out-of-memory' });
    s.advance(3_600_000);
    expect(s.steps).toEqual([]);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['host-memory']);
    s.send(signs(null));
    expect(s.steps).toEqual(['start']);
  });

  it('an OOM kill long before its end has nothing to do with it', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'oom-killed' });
    s.advance(10_001);
    s.vmm({ type: 'exited' });
    expect(s.explain().episode?.diagnosis.kind).toBe('vmm-dead');
  });

  it('a guest is reset all the same: its VMM stays', () => {
    const s = new Stage().healthy();
    s.send(signs('1 % of it is available'));
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(s.steps).toEqual(['reset']);
  });
});

describe('a resource over its threshold', () => {
  it('is cleaned up, once, and never answered by a boot', () => {
    const s = new Stage().healthy({ steps: LADDER_STEPS });
    const over = { liveness: 'memory', readiness: 'ok', agent: 'ok', api: 'ok', process: 'ok' } as const;
    s.probe('liveness', 'failed', 'memory');
    for (let i = 0; i < 600; i++) {
      if (s.asked) s.answer(over);
      if (s.inFlight()) s.end();
      s.advance(1_000);
    }
    expect(s.steps).toEqual(['cleanup', 'exec']);
    expect(s.explain().episode?.diagnosis).toMatchObject({ kind: 'resource', cause: 'over-threshold' });
    expect(s.escalations.some((t) => t.includes('no step is left'))).toBe(true);
  });
});

describe('steps that no driver supports yet', () => {
  it.each([
    ['are taken where one does', LADDER_STEPS, 'reset-network'],
    ['are skipped where none does', STEPS, 'reboot'],
  ] as const)('%s', (_, steps, first) => {
    const s = new Stage().healthy({ steps });
    s.probe('liveness', 'failed', 'host-unreachable');
    s.answer({
      liveness: 'host-unreachable',
      readiness: 'host-unreachable',
      agent: 'ok',
      api: 'ok',
      process: 'ok',
    });
    expect(s.steps).toEqual([first]);
  });
});

describe('a boot that moves', () => {
  const moved = (s: Stage, ...names: string[]) =>
    s.send({ type: 'activity', vm: WEB, moved: names, atMs: s.now });

  /** A VM that boots and whose counters can be read. */
  function booting(): Stage {
    const s = new Stage().healthy();
    s.attach({ counters: true });
    return s;
  }

  it('has its grace extended while it does, and no longer', () => {
    const s = booting();
    for (let i = 0; i < 20; i++) {
      s.advance(10_000);
      moved(s, 'console');
    }
    expect(s.health()).toBe('starting');
    s.advance(15_000);
    expect(s.explain().holds.map((h) => h.rule)).not.toContain('grace');
    expect(s.rules('note').filter((r) => r === 'grace')).toHaveLength(1);
  });

  it('is over once somebody in the guest answers: what fails then fails', () => {
    const s = booting();
    s.probe('agent', 'ok');
    for (let i = 0; i < 13; i++) {
      s.advance(10_000);
      moved(s, 'disk vda');
    }
    expect(s.state.vms.get(WEB)?.graceUntilMs).toBeNull();
  });

  it('has it up to a bound', () => {
    const s = booting();
    for (let i = 0; i < 70; i++) {
      s.advance(10_000);
      moved(s, 'disk vda');
    }
    expect(s.state.vms.get(WEB)?.graceUntilMs).toBeNull();
  });

  it('one that stands still has only its grace', () => {
    const s = booting();
    for (let i = 0; i < 12; i++) {
      moved(s);
      s.advance(10_000);
    }
    expect(s.state.vms.get(WEB)?.graceUntilMs).toBeNull();
  });

  it('a console that moves does not veto a reset', () => {
    const s = new Stage().healthy();
    s.attach({ counters: true });
    s.allOk();
    s.probe('liveness', 'failed', 'response-timeout');
    moved(s, 'console');
    const silent = 'response-timeout';
    s.answer({ liveness: silent, readiness: silent, agent: silent, api: 'ok', process: 'ok' });
    expect(s.steps).toEqual(['reset']);
  });
});

describe('an edit war', () => {
  /** Somebody stops the VMM again and again; each time it is continued and gets stable. */
  function stopAgain(s: Stage, everyMs: number, times: number): void {
    for (let i = 0; i < times; i++) {
      s.probe('process', 'failed', 'process-stopped');
      if (s.asked) s.answer({ process: 'process-stopped' });
      if (s.inFlight()) {
        s.end();
        s.allOk();
      }
      s.advance(everyMs);
    }
  }

  it('is given up after five changes in a day, told once, and resumed by a person', () => {
    const s = new Stage().healthy({ recovery: { maxPer24h: 100 } });
    stopAgain(s, 600_000, 9);
    expect(s.steps).toEqual(Array(5).fill('continue-process'));
    expect(s.explain().holds.map((h) => h.rule)).toContain('edit-war');
    expect(s.escalations.filter((t) => t.includes('undone'))).toHaveLength(1);
    expect(s.restart().state.vms.get(WEB)?.war).toEqual(s.state.vms.get(WEB)?.war);
    s.send({ type: 'unhold', vm: WEB, author: 'ada' });
    if (s.asked) s.answer({ process: 'process-stopped' });
    expect(s.steps).toHaveLength(6);
  });

  it('fewer changes in a day are none', () => {
    const s = new Stage().healthy({ recovery: { maxPer24h: 100 } });
    stopAgain(s, 7 * 3_600_000, 12);
    expect(s.steps.length).toBe(12);
  });

  it('ten changes a minute are free, then they are throttled, and three throttles in a row end it', () => {
    const war = newWar();
    const said = Array.from({ length: 12 }, (_, i) => noteEdit(war, 1_000_000 + i * 10));
    expect(said).toEqual([...Array(9).fill('free'), 'throttled', 'throttled', 'paused']);
  });

  it('is given up where each change is undone within seconds, if budgets allow that many', () => {
    const s = new Stage().healthy({
      recovery: {
        ...{ maxConsecutive: 100, maxPer24h: 100, stableForMs: 1_000 },
        ...{ backoff: { baseMs: 0, capMs: 0, jitter: 0 }, breaker: { failures: 100, holdMs: 0 } },
      },
    });
    stopAgain(s, 2_000, 60);
    expect(s.steps.length).toBeGreaterThan(10);
    expect(s.steps.length).toBeLessThan(30);
    expect(s.escalations.filter((t) => t.includes('undone more than 10 times a minute'))).toHaveLength(1);
    expect(s.explain().holds.map((h) => h.rule)).toContain('edit-war');
  });

  it('is bounded, and gives in no later than in the fifth minute of a day with changes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50_000_000 }), { maxLength: 40 }), (gaps) => {
        const war = newWar();
        const minutes: number[] = [];
        let now = 1_000_000_000;
        for (const gap of gaps) {
          now += gap;
          if (now - (minutes.at(-1) ?? 0) >= 60_000) minutes.push(now);
          const said = noteEdit(war, now);
          const inDay = minutes.filter((atMs) => atMs > now - 86_400_000).length;
          if (inDay >= 5) expect(said).toBe('paused');
          expect(war.day.length).toBeLessThanOrEqual(5);
          expect(war.tokens).toBeLessThanOrEqual(10);
        }
      }),
    );
  });
});
