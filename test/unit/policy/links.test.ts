import { describe, expect, it } from 'vitest';
import type { LinkFault } from '../../../src/model/link.js';
import { PROBES, probe, STEPS, Stage } from './stage.js';

const TAP = { steps: [...STEPS, 'reset-network'] as const };
const SILENT = { api: 'ok', process: 'ok', agent: 'response-timeout' } as const;
const DEAD = { ...SILENT, readiness: 'response-timeout', liveness: 'response-timeout' } as const;

const broken = (fault: LinkFault) => ({ type: 'link', fault, text: `tap0: ${fault}` }) as const;
const whole = { type: 'link', fault: null, text: '' } as const;

describe('a broken link', () => {
  it.each<LinkFault>([
    'tap-down',
    'wrong-bridge',
    'bridge-missing',
    'bridge-down',
    'not-a-tap',
  ])('%s is put right, though nothing in the guest answers', (fault) => {
    const stage = new Stage().healthy(TAP);
    stage.advance(300_000);
    stage.vmm(broken(fault));
    stage.answer(DEAD);
    expect(stage.actions).toMatchObject([
      { step: 'reset-network', diagnosis: { kind: 'network', cause: 'link-broken' } },
    ]);
    expect(stage.actions[0]?.diagnosis.evidence.at(-1)?.text).toBe(`tap0: ${fault}`);
  });

  it('needs no probe to have failed, and is healed once it is whole', () => {
    const stage = new Stage().healthy(TAP);
    stage.advance(300_000);
    stage.vmm(broken('tap-down'));
    stage.answer({ ...SILENT, agent: 'ok', readiness: 'ok', liveness: 'ok' });
    expect(stage.steps).toEqual(['reset-network']);
    stage.vmm(whole);
    stage.end({ result: 'done' });
    stage.advance(120_000);
    expect(stage.explain().pastEpisodes).toMatchObject([{ outcome: 'recovered' }]);
    expect(stage.steps).toEqual(['reset-network']);
  });

  it('is given up after the budget, and the guest is never touched for it', () => {
    const stage = new Stage().healthy(TAP);
    stage.advance(300_000);
    stage.vmm(broken('bridge-missing'));
    for (let turn = 0; turn < 20 && stage.explain().health !== 'quarantined'; turn++) {
      if (stage.asked) stage.answer(DEAD);
      if (stage.explain().health === 'recovering' && stage.state.vms.get('test/web')?.action)
        stage.end({ result: 'failed', code: 'ERR_VMPULSE_NETWORK', message: 'there is no bridge' });
      stage.advance(120_000);
    }
    expect(stage.explain().health).toBe('quarantined');
    expect(new Set(stage.steps)).toEqual(new Set(['reset-network']));
  });

  it('is left to a person where vmpulse does not keep it', () => {
    const stage = new Stage().healthy();
    stage.advance(300_000);
    stage.vmm(broken('tap-down'));
    stage.answer(DEAD);
    expect(stage.steps).toEqual([]);
    expect(stage.effects.findLast((effect) => effect.type === 'escalate')).toMatchObject({
      text: expect.stringContaining('no step is left for network (link-broken)'),
    });
  });

  it('of many VMs at once is put right in each: it takes no guest away', () => {
    const stage = new Stage({ sharedCauseMinVms: 3, brakeMinVms: 3, maxConcurrentRecoveries: 10 });
    const ids = ['test/a', 'test/b', 'test/c', 'test/d'];
    for (const id of ids) stage.healthy({ ...TAP, id });
    stage.advance(300_000);
    for (const id of ids) {
      stage.vmm(broken('bridge-missing'), id);
      stage.answer(DEAD);
    }
    stage.advance(5_000);
    expect(new Set(stage.actions.map(({ vm, step }) => `${vm} ${step}`))).toEqual(
      new Set(ids.map((id) => `${id} reset-network`)),
    );
  });

  it('that was put right by somebody is nothing to act on', () => {
    const stage = new Stage().healthy(TAP);
    stage.advance(300_000);
    stage.vmm(broken('tap-down'));
    stage.vmm(whole);
    stage.answer({ ...SILENT, agent: 'ok', readiness: 'ok', liveness: 'ok' });
    stage.advance(10_000);
    expect(stage.steps).toEqual([]);
    expect(stage.explain().health).toBe('healthy');
  });

  it('is known from its probe where nothing was heard of it', () => {
    const probes = [...PROBES, probe('link', 'check', 'tapLink')];
    const stage = new Stage().healthy({ ...TAP, probes });
    stage.advance(300_000);
    stage.probe('liveness', 'failed', 'response-timeout');
    stage.answer({ ...DEAD, link: 'network-unreachable' });
    expect(stage.actions).toMatchObject([{ step: 'reset-network', diagnosis: { cause: 'link-broken' } }]);
  });
});

describe('a lost device', () => {
  it.each<LinkFault>(['tap-missing', 'no-carrier'])('%s is answered by a new VMM', (fault) => {
    const stage = new Stage().healthy(TAP);
    stage.advance(300_000);
    stage.vmm(broken(fault));
    stage.answer({ ...DEAD, agent: 'ok' });
    expect(stage.actions).toMatchObject([
      { step: 'power-cycle', diagnosis: { kind: 'network', cause: 'link-lost' } },
    ]);
  });

  it('of a VMM that has just ended is not what is wrong', () => {
    const stage = new Stage().healthy(TAP);
    stage.advance(300_000);
    stage.vmm(broken('no-carrier'));
    stage.vmm({ type: 'exited' });
    stage.advance(1_000);
    expect(stage.actions).toMatchObject([{ step: 'start', diagnosis: { kind: 'vmm-dead' } }]);
  });
});
