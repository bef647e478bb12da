import { describe, expect, it } from 'vitest';
import type { RunStrategy } from '../../../src/model/vm.js';
import { PROBES, policyVm, probe, Stage, type VmOptions, WEB } from './stage.js';

function configured(options: VmOptions = {}): Stage {
  const s = new Stage();
  s.send({ type: 'vm-configured', vm: policyVm(options) });
  return s;
}

describe('the first look', () => {
  it('nothing is done to a VM that nobody has looked at', () => {
    const s = configured();
    s.probe('liveness', 'failed', 'response-timeout');
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.health()).toBe('unknown');
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['not-looked']);
  });

  it('starts what should run and does not, outside the failure budget', () => {
    const s = configured();
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    expect(s.steps).toEqual(['start']);
    expect(s.rules('act')).toEqual(['start-up']);
    expect(s.health()).toBe('starting');
    expect(s.explain().budget).toMatchObject({ consecutiveUsed: 0, rolling24hUsed: 0 });
    expect(s.explain().episode).toBeNull();
    s.boot();
    expect(s.health()).toBe('starting');
    s.allOk();
    expect(s.health()).toBe('healthy');
  });

  it.each(['Manual', 'Halted'] satisfies RunStrategy[])('leaves a VM under %s as it is', (runStrategy) => {
    const s = configured({ runStrategy });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.health()).toBe('stopped');
    expect(s.escalations).toEqual([]);
  });

  it.each([
    'RerunOnFailure',
    'Once',
  ] satisfies RunStrategy[])('starts a VM under %s that never ran, and none that did', (runStrategy) => {
    const s = configured({ runStrategy });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    expect(s.rules('act')).toEqual(['start-up']);
    s.boot();
    s.vmm({ type: 'shutdown', guest: true, reason: 'guest-shutdown' });
    s.vmm({ type: 'exited' });
    const next = s.restart();
    next.send({ type: 'vm-configured', vm: policyVm({ runStrategy }) });
    next.send({ type: 'vm-looked', vm: WEB, running: false });
    next.advance(3_600_000);
    expect(next.steps).toEqual([]);
  });

  it.each([
    ['Always', true, true],
    ['RerunOnFailure', true, false],
    ['Once', false, false],
    ['Manual', false, false],
  ] satisfies [RunStrategy, boolean, boolean][])('after a boot of the host %s', (runStrategy, ran, ended) => {
    for (const shutDown of [false, true]) {
      const s = new Stage().healthy({ runStrategy });
      if (shutDown) {
        s.vmm({ type: 'shutdown', guest: true, reason: 'guest-shutdown' });
        s.vmm({ type: 'exited' });
        if (s.inFlight()) s.fail();
      }
      const next = s.restart();
      next.send({ type: 'host-booted' });
      next.send({ type: 'vm-configured', vm: policyVm({ runStrategy }) });
      next.send({ type: 'vm-looked', vm: WEB, running: false });
      expect(next.steps).toEqual((shutDown ? ended : ran) ? ['start'] : []);
    }
  });

  it('only says what it would start where recovery is not enabled', () => {
    const s = configured({ recovery: { enabled: false } });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    expect(s.steps).toEqual([]);
    expect(s.rules('would')).toEqual(['observe-only']);
  });

  it('is paced by the boots of the host', () => {
    const s = new Stage({ maxConcurrentRecoveries: 100 });
    for (let i = 0; i < 15; i++) {
      s.send({ type: 'vm-configured', vm: policyVm({ id: `test/vm-${i}` }) });
      s.send({ type: 'vm-looked', vm: `test/vm-${i}`, running: false });
    }
    expect(s.steps).toHaveLength(10);
    s.advance(60_000);
    expect(s.steps).toHaveLength(15);
  });

  it('a start that fails at start-up is a failure from then on', () => {
    const s = configured();
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    s.fail();
    expect(s.health()).toBe('unhealthy');
    s.advance(15_000);
    expect(s.steps).toEqual(['start', 'start']);
    expect(s.explain().budget.consecutiveUsed).toBe(1);
  });

  it('waits while a person holds', () => {
    const s = configured();
    s.send({ type: 'hold', vm: null, reason: 'drill', author: 'ada', untilMs: null });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    expect(s.steps).toEqual([]);
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(s.steps).toEqual(['start']);
  });
});

describe('adopting a VM that runs', () => {
  it('is unknown until its probes have spoken, and asks those that would not speak by themselves', () => {
    const s = configured();
    s.attach({ fresh: false, startedAtMs: s.now - 3_600_000 });
    expect(s.health()).toBe('unknown');
    expect(s.asked?.probes).toEqual(['readiness', 'liveness', 'agent']);
    s.answer({ readiness: 'ok', liveness: 'ok', agent: 'ok' });
    expect(s.health()).toBe('healthy');
    // What the engine begins as failed it tells to be ok.
    s.probe('readiness', 'ok');
    s.advance(3_600_000);
    expect(s.effects.filter((e) => e.type === 'confirm')).toHaveLength(1);
  });

  it('asks a readiness again until the engine has said that it is ok: of a failure it would tell nothing', () => {
    const s = configured();
    s.attach({ fresh: false, startedAtMs: s.now - 3_600_000 });
    s.answer({ readiness: 'ok', liveness: 'ok', agent: 'ok' });
    expect(s.state.vms.get(WEB)?.ready).toBe(true);
    s.advance(1_000);
    expect(s.asked?.probes).toEqual(['readiness']);
    s.answer({ readiness: 'connection-refused' });
    expect(s.state.vms.get(WEB)?.ready).toBe(false);
  });

  it('keeps what its probes said before the attachment was reported', () => {
    const s = configured();
    s.probe('process', 'failed', 'process-stopped');
    s.attach({ fresh: false, startedAtMs: s.now - 3_600_000, status: 'unknown' });
    s.answer({ process: 'process-stopped' });
    expect(s.steps).toEqual(['continue-process']);
  });

  it('paused: nothing is asked, nothing is done', () => {
    const s = configured();
    s.attach({ fresh: false, startedAtMs: s.now - 3_600_000, status: 'paused' });
    expect(s.health()).toBe('paused');
    s.advance(3_600_000);
    expect(s.steps).toEqual([]);
  });

  it('whose readiness never turns ok is degraded after a grace', () => {
    const s = configured();
    s.attach({ fresh: false, startedAtMs: s.now - 3_600_000 });
    s.answer({ readiness: 'connection-refused', liveness: 'ok', agent: 'ok' });
    expect(s.health()).toBe('unknown');
    s.advance(120_000);
    expect(s.health()).toBe('degraded');
    expect(s.steps).toEqual([]);
  });
});

describe('a VM whose only probe begins as ok', () => {
  const probes = [probe('liveness', 'liveness', 'httpGet')];

  it('is healthy once a fresh look says so, not before', () => {
    const s = configured({ probes });
    s.attach();
    expect(s.health()).toBe('starting');
    s.answer({ liveness: 'connection-refused' });
    expect(s.health()).toBe('starting');
    s.advance(1_000);
    s.answer({ liveness: 'ok' });
    expect(s.health()).toBe('healthy');
  });

  it('a reset is a success only when the guest was heard', () => {
    const s = configured({ probes });
    s.attach();
    s.answer({ liveness: 'ok' });
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    for (let i = 0; i < 20; i++) {
      if (s.asked) s.answer({ liveness: 'response-timeout' });
      s.advance(10_000);
    }
    expect(s.explain().episode?.healedAtMs).toBeNull();
    expect(s.health()).toBe('recovering');
    if (s.asked) s.answer({ liveness: 'ok' });
    expect(s.explain().episode?.healedAtMs).toBe(s.now);
  });
});

describe('a VM without probes into its guest', () => {
  it('is healthy once its VMM is attached', () => {
    const s = configured({ probes: [] });
    s.attach();
    expect(s.health()).toBe('healthy');
    s.vmm({ type: 'exited' });
    s.boot();
    expect(s.health()).toBe('healthy');
  });
});

describe('configuration', () => {
  it('a changed probe starts over, the others keep what they know', () => {
    const s = new Stage().healthy();
    const changed = PROBES.map((p) =>
      p.name === 'readiness' ? probe('readiness', 'readiness', 'tcpSocket') : p,
    );
    s.send({ type: 'vm-configured', vm: policyVm({ probes: changed }) });
    const probes = s.state.vms.get(WEB)?.probes;
    expect(probes?.get('readiness')?.seen).toBe(false);
    expect(probes?.get('liveness')?.seen).toBe(true);
  });

  it('a VM that is no longer named is left alone, even in the middle of it', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.fail();
    s.send({ type: 'vm-removed', vm: WEB });
    s.advance(3_600_000);
    expect(s.steps).toEqual(['start']);
    expect(() => s.explain()).toThrow(/ERR_VMPULSE_VM_UNKNOWN|no VM/);
  });

  it('a quarantine outlives the removal of the manifest, for a day', () => {
    const s = new Stage().healthy({ recovery: { maxConsecutive: 0 } });
    s.vmm({ type: 'exited' });
    expect(s.health()).toBe('quarantined');
    s.send({ type: 'vm-removed', vm: WEB });
    s.advance(3_600_000);
    s.send({ type: 'vm-configured', vm: policyVm() });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    expect(s.health()).toBe('quarantined');
    expect(s.steps).toEqual([]);
    s.send({ type: 'vm-removed', vm: WEB });
    s.advance(86_400_000);
    expect(s.state.vms.size).toBe(0);
  });

  it('an action that ends after its VM was removed frees its slot', () => {
    const s = new Stage({ maxConcurrentRecoveries: 1 }).healthy().healthy({ id: 'test/db' });
    s.vmm({ type: 'exited' });
    s.vmm({ type: 'exited' }, 'test/db');
    const action = s.inFlight();
    s.send({ type: 'vm-removed', vm: WEB });
    expect(s.steps).toHaveLength(1);
    s.send({ type: 'action-ended', vm: WEB, actionId: action?.id ?? '', result: { result: 'done' } });
    expect(s.actions.map((a) => a.vm)).toEqual([WEB, 'test/db']);
  });
});
