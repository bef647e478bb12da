import { describe, expect, it } from 'vitest';
import { policyVm, Stage, WEB } from './stage.js';

const UNMANAGED = { kind: 'unmanaged', reason: 'vmpulse.dev/mode: unmanaged' } as const;
const PAUSED = { kind: 'paused', reason: 'vmpulse.dev/reconcile-paused: the team debugs it' } as const;
const MODES = [
  [UNMANAGED, 'unmanaged'],
  [PAUSED, 'reconcile-paused'],
] as const;

const held = (s: Stage) => s.explain().holds.map((h) => h.rule);
const schedule = (s: Stage) =>
  s.send({ type: 'schedule', vm: WEB, step: 'reboot', author: 'ada', reason: 'kernel update' });

describe('a mode', () => {
  it.each(MODES)('%o keeps a failed VM from being acted on until it is removed', (mode, rule) => {
    const s = new Stage().healthy({ mode });
    s.vmm({ type: 'panicked', action: 'pause' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.health()).toBe('unhealthy');
    expect(held(s)).toEqual([rule]);
    expect(s.rules('would')).toEqual([rule]);
    expect(s.explain().sentences.join('\n')).toContain(mode.reason);
    s.send({ type: 'vm-configured', vm: policyVm() });
    expect(s.steps).toEqual(['reset']);
  });

  it.each(MODES)('%o keeps a VM that is off from being started', (mode, rule) => {
    const s = new Stage();
    s.send({ type: 'vm-configured', vm: policyVm({ mode }) });
    s.send({ type: 'vm-looked', vm: WEB, running: false });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual([rule]);
  });

  it.each(MODES)('%o goes before recovery that is not enabled', (mode, rule) => {
    const s = new Stage().healthy({ mode, recovery: { enabled: false } });
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(held(s)).toEqual([rule]);
  });

  it('lets what a person scheduled be done to an unmanaged VM, and not to a paused one', () => {
    const unmanaged = new Stage().healthy({ mode: UNMANAGED });
    schedule(unmanaged);
    expect(unmanaged.steps).toEqual(['reboot']);
    const paused = new Stage().healthy({ mode: PAUSED });
    schedule(paused);
    paused.advance(86_400_000);
    expect(paused.steps).toEqual([]);
    expect(held(paused)).toEqual(['reconcile-paused']);
  });

  it('that comes after a step was taken lets it end', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.send({ type: 'vm-configured', vm: policyVm({ mode: PAUSED }) });
    expect(s.state.vms.get(WEB)?.action?.action.step).toBe('reset');
  });
});

describe('an annotation that forces a reconciliation', () => {
  const inWar = (s: Stage) => {
    const vm = s.state.vms.get(WEB);
    if (!vm) throw new Error('not configured');
    vm.war.pausedAtMs = s.now;
    return vm;
  };
  const configure = (s: Stage, forceReconcile: string) =>
    s.send({ type: 'vm-configured', vm: policyVm({ forceReconcile }) });

  it('ends what only waits, once for each value, also across a restart', () => {
    const s = new Stage().healthy({ forceReconcile: '1' });
    expect(s.rules('note')).not.toContain('force-reconcile');
    const vm = inWar(s);
    configure(s, '1');
    expect(vm.war.pausedAtMs).not.toBeNull();
    configure(s, '2');
    expect(vm.war.pausedAtMs).toBeNull();
    expect(s.rules('note').filter((rule) => rule === 'force-reconcile')).toHaveLength(1);
    const later = s.restart();
    inWar(later);
    configure(later, '2');
    expect(later.state.vms.get(WEB)?.war.pausedAtMs).not.toBeNull();
  });

  it('takes back neither holds nor quarantine', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: null });
    s.vmm({ type: 'panicked', action: 'pause' });
    configure(s, '1');
    expect(s.steps).toEqual([]);
    expect(held(s)).toEqual(['person-hold']);
  });
});
