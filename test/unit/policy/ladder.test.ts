import { describe, expect, it } from 'vitest';
import type { LadderStep } from '../../../src/model/action.js';
import { backoffMs, hashFraction } from '../../../src/policy/budget.js';
import { DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import { ladderFor } from '../../../src/policy/ladder.js';
import { type Fresh, Stage, type VmOptions, WEB } from './stage.js';

const SERVICE: Fresh = {
  readiness: 'connection-refused',
  liveness: 'connection-refused',
  agent: 'ok',
  api: 'ok',
  process: 'ok',
};
const HUNG: Fresh = {
  readiness: 'response-timeout',
  liveness: 'response-timeout',
  agent: 'response-timeout',
  api: 'ok',
  process: 'ok',
};
const STOPPED: Fresh = { ...HUNG, api: 'response-timeout', process: 'process-stopped' };

/** Budgets out of the way. */
const RICH = { maxConsecutive: 100, maxPer24h: 100, breaker: { failures: 100, holdMs: 1 } };

/** A fault that no remedy helps against: the liveness probe fails after every boot, and every look says the same. */
function hopeless(s: Stage, fresh: Fresh, forMs: number): void {
  const until = s.now + forMs;
  while (s.now < until) {
    if (s.inFlight()) {
      const step = s.inFlight()?.step;
      if (step === 'continue-process' || step === 'restart-service') s.end();
      else s.boot();
    } else if (s.asked) s.answer(fresh);
    else s.advance(1_000);
    const liveness = s.state.vms.get(WEB)?.probes.get('liveness');
    if (liveness?.state !== 'failed') s.probe('liveness', 'failed', 'response-timeout');
    const process = s.state.vms.get(WEB)?.probes.get('process');
    if (fresh.process === 'process-stopped' && process?.state !== 'failed') {
      s.probe('process', 'failed', 'process-stopped');
    }
  }
}

function climb(fresh: Fresh, options: VmOptions = {}, forMs = 3_600_000): LadderStep[] {
  const s = new Stage().healthy({ ...options, recovery: { ...RICH, ...options.recovery } });
  s.probe('liveness', 'failed', 'response-timeout');
  hopeless(s, fresh, forMs);
  return s.steps;
}

describe('the ladder', () => {
  it.each([
    ['a service', SERVICE, ['restart-service', 'reboot', 'reset', 'power-cycle', 'power-cycle']],
    ['a hung guest', HUNG, ['reset', 'power-cycle', 'power-cycle']],
    ['a stopped VMM', STOPPED, ['continue-process', 'power-cycle', 'power-cycle']],
  ] satisfies [string, Fresh, LadderStep[]][])('climbs for %s, each milder step once', (_, fresh, steps) => {
    expect(climb(fresh).slice(0, steps.length)).toEqual(steps);
  });

  it.each([
    ['no service command', ['reboot', 'reset', 'power-cycle'], ['reboot', 'reset', 'power-cycle']],
    ['no reboot', ['restart-service', 'reset', 'power-cycle'], ['restart-service', 'reset', 'power-cycle']],
    ['no reset', ['restart-service', 'power-cycle'], ['restart-service', 'power-cycle', 'power-cycle']],
  ] satisfies [
    string,
    LadderStep[],
    LadderStep[],
  ][])('skips what cannot be done: %s', (_, supported, steps) => {
    expect(climb(SERVICE, { steps: supported }).slice(0, steps.length)).toEqual(steps);
  });

  it('escalates once where nothing can be done', () => {
    const s = new Stage().healthy({ steps: [] });
    s.vmm({ type: 'panicked', action: 'pause' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.escalations).toHaveLength(1);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['ladder-exhausted']);
  });

  it('tries a reboot once against a network that is unreachable, and then asks for a person', () => {
    const unreachable: Fresh = { ...SERVICE, readiness: 'host-unreachable', liveness: 'host-unreachable' };
    const s = new Stage().healthy({ recovery: RICH });
    s.probe('liveness', 'failed', 'host-unreachable');
    hopeless(s, unreachable, 3_600_000);
    expect(s.steps).toEqual(['reboot']);
    expect(s.escalations).toHaveLength(1);
  });

  it('numbers the attempts of a step', () => {
    const s = new Stage().healthy({ recovery: RICH, steps: ['power-cycle'] });
    s.probe('liveness', 'failed', 'response-timeout');
    hopeless(s, HUNG, 1_200_000);
    expect(s.actions.slice(0, 3).map((a) => a.attempt)).toEqual([1, 2, 3]);
    expect(new Set(s.actions.map((a) => a.id)).size).toBe(s.actions.length);
    const ids = s.actions.map((a) => a.id);
    expect([...ids].sort()).toEqual(ids);
  });

  it('ends a stopped VMM only once it has been stopped for wedgedAfter', () => {
    const s = new Stage().healthy();
    s.probe('process', 'failed', 'process-stopped');
    const since = s.now;
    hopeless(s, STOPPED, 120_000);
    const [, second] = s.state.vms.get(WEB)?.episode?.attempts ?? [];
    expect(second?.step).toBe('power-cycle');
    expect((second?.startedAtMs ?? 0) - since).toBeGreaterThanOrEqual(58_000);
  });

  it('takes the first remedy for a guest-initiated stop and a crash: start, again and again', () => {
    expect(ladderFor({ kind: 'vmm-dead', cause: 'process-gone' }).steps).toEqual(['start']);
    expect(ladderFor({ kind: 'intended', cause: 'guest-shutdown' }).steps).toEqual(['start']);
    expect(ladderFor({ kind: 'storage', cause: 'disk-io-error' }).steps).toEqual([]);
    expect(ladderFor({ kind: 'observer', cause: 'prober-blind' }).steps).toEqual([]);
  });

  it('follows the diagnosis when it changes under way', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    s.vmm({ type: 'exited' });
    s.advance(20_000);
    expect(s.steps).toEqual(['reset', 'start']);
    const { episode } = s.explain();
    expect(episode?.diagnosis.cause, 'an episode keeps the cause it began with').toBe('guest-panicked');
    expect(episode?.attempts.map((a) => a.cause)).toEqual(['guest-panicked', 'process-gone']);
  });
});

describe('impossible steps', () => {
  const impossible = {
    result: 'impossible',
    code: 'ERR_VMPULSE_START_IMPOSSIBLE',
    message: 'disk is missing',
  } as const;

  it('go on to the next at once, and cost no budget', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'bad-status');
    s.answer(SERVICE);
    s.end(impossible);
    expect(s.steps).toEqual(['restart-service', 'reboot']);
    expect(s.explain().budget.consecutiveUsed).toBe(1);
  });

  it('escalate when none is left; a start is tried again soon, then ever less often', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    const { baseMs, capMs, jitter } = DEFAULT_RECOVERY.backoff;
    for (const times of [1, 2, 3, 4, 5, 6, 7]) {
      s.end({ ...impossible, code: 'ERR_VMPULSE_DISK_IN_USE' });
      expect(s.steps).toHaveLength(times);
      const leastMs = Math.min(capMs, baseMs * times * times);
      s.advance(leastMs - 1);
      expect(s.steps).toHaveLength(times);
      s.advance(Math.min(capMs, leastMs * (1 + jitter)) - leastMs + 1);
      expect(s.steps).toHaveLength(times + 1);
    }
    expect(s.escalations).toHaveLength(1);
    expect(s.health()).toBe('recovering');
    expect(s.explain().budget).toMatchObject({ consecutiveUsed: 1, rolling24hUsed: 1 });
    s.boot();
    s.allOk();
    expect(s.health()).toBe('healthy');
  });

  it('say nothing of the next start where somebody else has started it', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.attach({ vmm: 'by hand' });
    s.end({ ...impossible, code: 'ERR_VMPULSE_VM_RUNNING' });
    s.allOk();
    s.vmm({ type: 'exited' });
    expect(s.steps).toEqual(['start', 'start']);
  });

  it('are possible again once somebody has started it', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.end(impossible);
    s.attach({ vmm: 'by hand' });
    s.allOk();
    expect(s.steps).toEqual(['start']);
    s.vmm({ type: 'exited' });
    expect(s.steps).toEqual(['start', 'start']);
  });

  it('that are no start are left alone for the cap', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'bad-status');
    s.answer(SERVICE);
    s.end(impossible);
    s.end(impossible);
    const tried = s.steps.length;
    s.advance(DEFAULT_RECOVERY.backoff.baseMs * 2);
    expect(s.steps.slice(tried)).not.toContain('restart-service');
  });
});

describe('back-off', () => {
  const { backoff } = DEFAULT_RECOVERY;

  it.each([
    [0, 0, 0],
    [1, 10_000, 15_000],
    [2, 40_000, 60_000],
    [3, 90_000, 135_000],
    [4, 160_000, 240_000],
    [5, 250_000, 300_000],
    [6, 300_000, 300_000],
    [50, 300_000, 300_000],
  ])('after %i attempts is between %i and %i ms', (earlier, least, most) => {
    for (let i = 0; i < 200; i++) {
      const delayMs = backoffMs(backoff, earlier, `test/web@20300101T000000000Z-${i}`);
      expect(delayMs).toBeGreaterThanOrEqual(least);
      expect(delayMs).toBeLessThanOrEqual(most);
    }
  });

  it('spreads over the jitter, and says the same for the same action', () => {
    const fractions = Array.from({ length: 1000 }, (_, i) => hashFraction(`test/web-${i}@x-0001`));
    const mean = fractions.reduce((a, b) => a + b, 0) / fractions.length;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
    expect(Math.min(...fractions)).toBeLessThan(0.02);
    expect(Math.max(...fractions)).toBeGreaterThan(0.98);
    expect(backoffMs(backoff, 2, 'a')).toBe(backoffMs(backoff, 2, 'a'));
  });

  it('spaces starts that crash at once', () => {
    const s = new Stage().healthy({ recovery: RICH });
    const died: number[] = [];
    s.vmm({ type: 'exited' });
    for (let i = 0; i < 5; i++) {
      s.boot();
      died.push(s.now);
      s.vmm({ type: 'exited' });
      expect(s.inFlight()).toBeUndefined();
      expect(s.explain().holds.map((h) => h.rule)).toEqual(['back-off']);
      s.advance(300_000);
    }
    const starts = startsOf(s);
    expect(starts[0], 'the first comes at once').toBe(died[0]);
    const bounds = [
      [10_000, 15_000],
      [40_000, 60_000],
      [90_000, 135_000],
      [160_000, 240_000],
      [250_000, 300_000],
    ];
    bounds.forEach(([least = 0, most = 0], i) => {
      const waited = (starts[i + 1] ?? 0) - (died[i] ?? 0);
      expect(waited).toBeGreaterThanOrEqual(least);
      expect(waited).toBeLessThanOrEqual(most);
    });
  });

  it('is cleared once the VM was stable', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.boot();
    s.allOk();
    s.advance(60_000);
    s.vmm({ type: 'exited' });
    expect(s.steps).toEqual(['start', 'start']);
  });
});

function startsOf(s: Stage): number[] {
  const { episode, pastEpisodes } = s.explain();
  return [...pastEpisodes, ...(episode ? [episode] : [])].flatMap((e) =>
    e.attempts.map((a) => a.startedAtMs),
  );
}
