import { describe, expect, it } from 'vitest';
import { isVmpulseError } from '../../../src/model/errors.js';
import { DEFAULT_POLICY_CONFIG, restore, serialize } from '../../../src/policy/index.js';
import { policyVm, Stage, type VmOptions, WEB } from './stage.js';

/** The daemon is gone and another one finds the same VMM. */
function reborn(
  s: Stage,
  options: VmOptions & { running?: boolean; startedAtMs?: number; status?: string } = {},
): Stage {
  const { vmm, vmmStartedAtMs } = s.state.vms.get(WEB) ?? {};
  const next = s.restart();
  next.send({ type: 'vm-configured', vm: policyVm(options) });
  if (options.running === false) next.send({ type: 'vm-looked', vm: WEB, running: false });
  else
    next.attach({
      fresh: false,
      startedAtMs: options.startedAtMs ?? vmmStartedAtMs ?? s.now,
      ...(options.startedAtMs === undefined && vmm ? { vmm } : {}),
      status: options.status ?? 'running',
    });
  return next;
}

const DOWN = { liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' } as const;

describe('a restart of the daemon', () => {
  it('does nothing before the VM is configured and looked at', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.fail();
    const next = s.restart();
    next.send({ type: 'tick' });
    next.advance(3_600_000);
    next.send({ type: 'vm-configured', vm: policyVm() });
    next.advance(3_600_000);
    expect(next.steps).toEqual([]);
  });

  it('keeps a healthy VM healthy and asks only whether it still answers', () => {
    const next = reborn(new Stage().healthy());
    expect(next.health()).toBe('healthy');
    expect(next.state.vms.get(WEB)?.ready).toBe(true);
    expect(next.effects.map((e) => e.type)).toEqual(['confirm']);
    next.answer({ readiness: 'ok', liveness: 'ok', agent: 'ok' });
    // What the engine begins as failed it tells to be ok.
    next.probe('readiness', 'ok');
    next.advance(3_600_000);
    expect(next.steps).toEqual([]);
    expect(next.effects).toHaveLength(1);
  });

  it('learns that readiness was lost meanwhile, and that it is back', () => {
    const next = reborn(new Stage().healthy());
    next.answer({ readiness: 'connection-refused', liveness: 'ok', agent: 'ok' });
    expect(next.health()).toBe('degraded');
    next.advance(1_000);
    next.answer({ readiness: 'ok' });
    expect(next.health()).toBe('healthy');
  });

  it('learns that readiness was lost meanwhile of a VM that is quarantined', () => {
    const s = new Stage().healthy({ recovery: { maxConsecutive: 1 } });
    const panic = () => s.vmm({ type: 'panicked', action: 'pause' });
    panic();
    s.boot();
    s.allOk();
    panic();
    s.advance(60_000);
    expect(s.health()).toBe('quarantined');
    // The former daemon dies before it has stored that its probes fail.
    expect(s.state.vms.get(WEB)?.ready).toBe(true);
    const next = reborn(s, { status: 'guest-panicked' });
    expect(next.asked?.probes).toEqual(['readiness']);
    next.answer({ readiness: 'connect-timeout' });
    expect(next.state.vms.get(WEB)?.ready).toBe(false);
    expect(next.health()).toBe('quarantined');
  });

  it('learns that readiness was lost meanwhile of a VM that fails while all recovery is held', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: null, reason: 'move', author: 'bob', untilMs: null });
    const next = reborn(s);
    next.probe('liveness', 'failed', 'connection-refused');
    next.answer({ readiness: 'connection-refused', ...DOWN });
    expect(next.asked?.probes).toEqual(['readiness']);
    expect(next.state.vms.get(WEB)?.ready).toBe(true);
    next.answer({ readiness: 'connection-refused' });
    expect(next.state.vms.get(WEB)?.ready).toBe(false);
    expect(next.steps).toEqual([]);
  });

  it('learns that a liveness answers again of which the engine has nothing to say', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    const next = reborn(s);
    const all = { readiness: 'ok', liveness: 'ok', agent: 'ok', api: 'ok', process: 'ok' } as const;
    next.answer(all);
    expect(next.health()).not.toBe('unhealthy');
    expect(next.explain().probes.find(({ name }) => name === 'liveness')?.state).toBe('ok');
    next.answer(all);
    next.probe('readiness', 'ok');
    next.advance(3_600_000);
    expect(next.health()).toBe('healthy');
    expect(next.steps).toEqual([]);
  });

  it('takes a VMM that is another one for a new instance', () => {
    const s = new Stage().healthy();
    s.advance(3_600_000);
    const next = reborn(s, { startedAtMs: s.now - 10_000 });
    expect(next.health()).toBe('starting');
    expect(next.effects.map((e) => e.type)).toContain('new-instance');
  });

  it('knows its VMM again although the clock was set meanwhile', () => {
    const s = new Stage().healthy();
    s.advance(3_600_000);
    const { vmm } = s.state.vms.get(WEB) ?? {};
    const next = s.restart();
    next.send({ type: 'vm-configured', vm: policyVm() });
    next.attach({ fresh: false, startedAtMs: s.now - 60_000, ...(vmm ? { vmm } : {}) });
    expect(next.health()).toBe('healthy');
    expect(next.effects.map((e) => e.type)).not.toContain('new-instance');
  });

  it('keeps quarantine, budgets and holds', () => {
    const s = new Stage().healthy({ recovery: { maxConsecutive: 1 } });
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: s.now + 10_000_000 });
    s.send({ type: 'hold', vm: null, reason: 'move', author: 'bob', untilMs: null });
    s.send({ type: 'unhold', vm: WEB, author: 'ada' });
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    s.vmm({ type: 'exited' });
    s.boot();
    s.vmm({ type: 'exited' });
    s.advance(60_000);
    expect(s.health()).toBe('quarantined');
    s.send({ type: 'hold', vm: null, reason: 'move', author: 'bob', untilMs: null });
    const next = reborn(s, { running: false });
    expect(next.health()).toBe('quarantined');
    expect(next.explain().budget).toMatchObject({ consecutiveUsed: 1, rolling24hUsed: 1 });
    expect(next.state.host.hold?.author).toBe('bob');
    next.advance(86_400_000);
    expect(next.steps).toEqual([]);
  });

  it('keeps the hold that a failed journal left', () => {
    const s = new Stage().healthy();
    s.send({ type: 'journal', available: false });
    const next = reborn(s);
    next.vmm({ type: 'exited' });
    expect(next.steps).toEqual([]);
    next.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(next.steps).toEqual(['start']);
  });

  it('keeps what an operator stopped stopped', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-qmp-quit' });
    s.vmm({ type: 'exited' });
    const next = reborn(s, { running: false });
    next.advance(86_400_000);
    expect(next.steps).toEqual([]);
    expect(next.explain().holds.map((h) => h.rule)).toEqual(['external-stop']);
  });

  it('starts what ended while nobody watched, as a start-up', () => {
    const next = reborn(new Stage().healthy(), { running: false });
    expect(next.rules('act')).toEqual(['start-up']);
    const rerun = reborn(new Stage().healthy({ runStrategy: 'RerunOnFailure' }), {
      running: false,
      runStrategy: 'RerunOnFailure',
    });
    expect(rerun.steps, 'nobody knows that it failed').toEqual([]);
  });

  it('goes on with a crash that was waiting for its back-off', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.fail();
    const next = reborn(s, { running: false });
    expect(next.steps).toEqual([]);
    next.advance(15_000);
    expect(next.steps).toEqual(['start']);
    expect(next.explain().budget.consecutiveUsed).toBe(2);
  });

  it('goes on with a failed liveness probe only on a fresh look', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    const fine = reborn(s);
    fine.answer({ ...DOWN, liveness: 'ok', readiness: 'ok' });
    expect(fine.steps).toEqual([]);
    expect(fine.health()).not.toBe('recovering');
    const down = reborn(s);
    down.answer(DOWN);
    expect(down.steps).toEqual(['restart-service']);
  });
});

describe('a new boot of the host', () => {
  /** The host goes down and comes up again; nothing runs. */
  function booted(s: Stage): Stage {
    const next = s.restart();
    next.send({ type: 'host-booted' });
    next.send({ type: 'vm-configured', vm: policyVm() });
    next.send({ type: 'vm-looked', vm: WEB, running: false });
    return next;
  }

  it('starts what the shutdown of the host had ended', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-signal' });
    s.vmm({ type: 'exited' });
    expect(s.steps).toEqual([]);
    const next = booted(s);
    expect(next.rules('act')).toEqual(['start-up']);
    expect(next.explain().budget.consecutiveUsed).toBe(0);
  });

  it('keeps stopped what a person had stopped', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-qmp-quit' });
    s.vmm({ type: 'exited' });
    const next = booted(s);
    next.advance(86_400_000);
    expect(next.steps).toEqual([]);
  });

  it('takes a crash that was being answered for start-up, at once', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.fail();
    s.advance(15_000);
    expect(s.inFlight()).toBeDefined();
    const next = booted(s);
    expect(next.rules('act')).toEqual(['start-up']);
    expect(next.explain().pastEpisodes.at(-1)?.outcome).toBe('intended');
    expect(next.explain().pastEpisodes.at(-1)?.attempts.at(-1)?.result).toMatchObject({
      code: 'interrupted',
    });
  });

  it('lets nobody out of quarantine', () => {
    const s = new Stage().healthy({ recovery: { maxConsecutive: 0 } });
    s.vmm({ type: 'exited' });
    const next = booted(s);
    expect(next.health()).toBe('quarantined');
    expect(next.steps).toEqual([]);
  });
});

describe('what was known before', () => {
  it('of a panic is not believed when the VMM says that the guest runs', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.vmm({ type: 'panicked', action: 'pause' });
    const next = reborn(s);
    next.answer({ readiness: 'ok', liveness: 'ok', agent: 'ok' });
    next.advance(600_000);
    expect(next.steps).toEqual([]);
    expect(next.health()).toBe('healthy');
  });
});

describe('a VM under RerunOnFailure whose VMM ended while no daemon watched', () => {
  const rerun = { runStrategy: 'RerunOnFailure' } as const;

  it('stays off where nobody knows how, people are told once, and a release starts it', () => {
    const next = reborn(new Stage().healthy(rerun), { ...rerun, running: false });
    next.advance(3_600_000);
    expect(next.steps).toEqual([]);
    expect(next.health()).toBe('stopped');
    expect(next.escalations).toEqual([expect.stringMatching(/while no daemon watched/)]);
    expect(next.explain().holds).toMatchObject([{ rule: 'run-strategy' }]);
    const again = reborn(next, { ...rerun, running: false });
    again.advance(3_600_000);
    expect(again.escalations).toEqual([]);
    again.send({ type: 'release', vm: WEB, author: 'ada' });
    expect(again.steps).toEqual(['start']);
  });

  it('is brought back where it had panicked before', () => {
    const s = new Stage().healthy({ ...rerun, steps: ['start'] });
    s.vmm({ type: 'panicked', action: 'shutdown' });
    const next = reborn(s, { ...rerun, running: false });
    expect(next.steps).toEqual(['start']);
  });

  it('stays off where its guest had shut down', () => {
    const s = new Stage().healthy(rerun);
    s.vmm({ type: 'shutdown', guest: true, reason: 'guest-shutdown' });
    const next = reborn(s, { ...rerun, running: false });
    expect(next.steps).toEqual([]);
    expect(next.escalations).toEqual([]);
  });
});

describe('an action that a daemon died in', () => {
  it.each(['start', 'power-cycle'] as const)('%s: a new VMM means done', (step) => {
    const s = new Stage().healthy({ steps: [step] });
    s.vmm(step === 'start' ? { type: 'exited' } : { type: 'panicked', action: 'pause' });
    s.advance(5_000);
    const next = reborn(s, { steps: [step], startedAtMs: s.now });
    expect(next.steps).toEqual([]);
    expect(next.health()).toBe('recovering');
    next.allOk();
    next.advance(60_000);
    expect(next.explain().pastEpisodes.at(-1)).toMatchObject({ outcome: 'recovered' });
    expect(next.steps).toEqual([]);
  });

  it('start: no VMM means that it had no effect; the next attempt keeps its distance', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    const next = reborn(s, { running: false });
    expect(next.steps).toEqual([]);
    next.advance(15_000);
    expect(next.steps).toEqual(['start']);
    expect(next.explain().episode?.attempts.map((a) => a.result?.result)).toEqual(['failed', undefined]);
    expect(next.actions[0]?.id).not.toBe(s.actions[0]?.id);
  });

  it('power-cycle: the same VMM means that it had no effect', () => {
    const s = new Stage().healthy({ steps: ['power-cycle'] });
    s.vmm({ type: 'panicked', action: 'pause' });
    const next = reborn(s, { steps: ['power-cycle'], status: 'guest-panicked' });
    expect(next.explain().episode?.attempts.map((a) => a.result?.result)).toEqual(['failed']);
    next.advance(15_000);
    expect(next.steps).toEqual(['power-cycle']);
  });

  it('reset: leaves no trace, so it is taken as done and given its grace', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    const next = reborn(s);
    expect(next.steps).toEqual([]);
    expect(next.health()).toBe('recovering');
    next.advance(119_000);
    expect(next.steps).toEqual([]);
    const still = reborn(s, { status: 'guest-panicked' });
    still.advance(15_000);
    expect(still.steps, 'the run state says that the guest is still lost').toEqual(['power-cycle']);
  });

  it('a start at start-up: found running, it is done', () => {
    const s = new Stage();
    s.send({ type: 'vm-configured', vm: policyVm() });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    const next = reborn(s, { startedAtMs: s.now });
    expect(next.steps).toEqual([]);
    next.allOk();
    expect(next.health()).toBe('healthy');
  });

  it('waits for the look however long it takes', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    const next = s.restart();
    next.send({ type: 'vm-configured', vm: policyVm() });
    next.advance(86_400_000);
    expect(next.steps).toEqual([]);
    expect(next.explain().holds.map((h) => h.rule)).toEqual(['unresolved']);
  });
});

describe('stored state', () => {
  it('is the same after it was restored', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(DOWN);
    s.end();
    s.allOk();
    s.advance(60_000);
    s.vmm({ type: 'exited' });
    const once = serialize(restore(serialize(s.state), DEFAULT_POLICY_CONFIG));
    expect(serialize(restore(once, DEFAULT_POLICY_CONFIG))).toEqual(once);
  });

  it('follows every change of a VM, though what did not change is not written anew', () => {
    const s = new Stage().healthy().healthy({ id: 'test/db' });
    expect(serialize(s.state)).toEqual(serialize(s.state));
    s.send({ type: 'hold', vm: 'test/db', reason: 'drill', author: 'ada', untilMs: null });
    const second = restore(serialize(s.state), DEFAULT_POLICY_CONFIG);
    expect(second.vms.get('test/db')?.hold?.author).toBe('ada');
    expect(second.vms.get(WEB)?.hold).toBeNull();
  });

  it('of a newer version, another program, or no JSON is refused', () => {
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"format":"other"}',
      '{"format":"vmpulse-policy","version":2}',
    ]) {
      expect(() => restore(new Map([['host', text]]), DEFAULT_POLICY_CONFIG)).toThrow(/damaged at host/);
    }
    expect(() => restore(new Map(), DEFAULT_POLICY_CONFIG)).toThrow(/damaged at host: the row is missing/);
    const rows = serialize(new Stage().healthy().state);
    rows.set('vm/test/other', rows.get('vm/test/web') ?? '');
    expect(() => restore(rows, DEFAULT_POLICY_CONFIG)).toThrow(
      /damaged at vm\/test\/other\.id: it is in the row vm\/test\/other/,
    );
  });

  it('is refused with its place when any value is damaged', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    s.vmm({ type: 'exited' });
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: s.now + 1000 });
    const rows = serialize(s.state);
    const whole: unknown = Object.fromEntries([...rows].map(([key, text]) => [key, JSON.parse(text)]));
    const places = leaves(whole);
    expect(places.length).toBeGreaterThan(100);
    for (const place of places) {
      const broken = new Map(rows);
      const [key] = place;
      const row: unknown = JSON.parse(rows.get(String(key)) ?? '');
      broken.set(String(key), JSON.stringify(damaged(row, place.slice(1))));
      let error: unknown;
      try {
        restore(broken, DEFAULT_POLICY_CONFIG);
      } catch (caught) {
        error = caught;
      }
      expect(isVmpulseError(error, 'ERR_VMPULSE_ARGUMENT'), place.join('.')).toBe(true);
    }
  });
});

function leaves(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
}

/** The same with something of another kind in one place. */
function damaged(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return { not: 'what belongs here' };
  if (Array.isArray(value)) return value.map((item, i) => (String(i) === key ? damaged(item, rest) : item));
  const object = value as Record<string, unknown>;
  return { ...object, [key]: damaged(object[key], rest) };
}
