import { describe, expect, it } from 'vitest';
import type { ActVerb, Intent } from '../../../src/policy/index.js';
import {
  createPolicy,
  DEFAULT_POLICY_CONFIG,
  DEFAULT_RECOVERY,
  intentsOf,
  restore,
  serialize,
  step,
} from '../../../src/policy/index.js';
import type { PolicyEvent, PolicyState, StepResult } from '../../../src/policy/types.js';

const VM = 'default/web';

/** One VM with recovery enabled and run strategy Always, which runs. */
class Stage {
  state: PolicyState = createPolicy(DEFAULT_POLICY_CONFIG);
  now = 1_000_000;
  last: StepResult | undefined;

  constructor() {
    this.configure();
    this.attach();
  }

  send(event: PolicyEvent): StepResult {
    this.now += 1_000;
    this.last = step(this.state, event, this.now);
    return this.last;
  }

  configure(): void {
    this.send({
      type: 'vm-configured',
      vm: {
        id: VM,
        runStrategy: 'Always',
        recovery: { ...DEFAULT_RECOVERY, enabled: true, graceMs: 0 },
        probes: [],
        steps: ['start', 'power-cycle'],
      },
    });
  }

  attach(): void {
    const vmm = `vmm-${this.now}`;
    this.send({ type: 'vm-attached', vm: VM, startedAtMs: this.now, vmm, fresh: true, status: 'running' });
  }

  act(verb: ActVerb, id = 'act-1'): StepResult {
    const act = { id, verb, author: 'ann@1', reason: 'tests', untilMs: this.now + 60_000 };
    return this.send({ type: 'act', vm: VM, act });
  }

  exit(): StepResult {
    return this.send({ type: 'vmm-event', vm: VM, event: { type: 'exited' }, atMs: this.now });
  }

  end(done: boolean, id = 'act-1'): StepResult {
    return this.send({ type: 'act-ended', vm: VM, id, done, text: 'said' });
  }

  /** A new daemon on what this one stored. */
  restart(): void {
    this.state = restore(serialize(this.state), DEFAULT_POLICY_CONFIG);
    this.configure();
  }

  get steps(): string[] {
    return (this.last?.effects ?? []).flatMap((effect) =>
      effect.type === 'recover' ? [effect.action.step] : [],
    );
  }

  get stops(): Intent[] {
    return intentsOf(this.state).filter(({ what }) => what === 'stop');
  }
}

const granted = ({ effects }: StepResult) =>
  effects.flatMap((effect) => (effect.type === 'act' ? [effect.id] : []));

describe('what a person has done to a VM', () => {
  it('begins at once where nothing is in flight', () => {
    expect(granted(new Stage().act('pause'))).toEqual(['act-1']);
  });

  it('waits for the recovery in flight, and keeps the next one away', () => {
    const s = new Stage();
    s.exit();
    const action = s.state.vms.get(VM)?.action?.action;
    expect(action?.step).toBe('start');
    expect(granted(s.act('start'))).toEqual([]);
    const ended = s.send({
      type: 'action-ended',
      vm: VM,
      actionId: action?.id ?? '',
      result: { result: 'failed', code: 'x', message: 'y' },
    });
    expect(granted(ended)).toEqual(['act-1']);
    s.send({ type: 'tick' });
    expect(s.steps).toEqual([]);
  });

  it('leaves a VM off that it stopped, without any last words, until somebody starts it', () => {
    const s = new Stage();
    s.act('stop');
    s.exit();
    s.end(true);
    expect(s.steps).toEqual([]);
    expect(s.stops).toMatchObject([{ vm: VM, author: 'ann@1', reason: 'tests' }]);
    s.restart();
    s.send({ type: 'vm-looked', vm: VM, running: false });
    s.send({ type: 'tick' });
    expect(s.steps).toEqual([]);
    s.act('start', 'act-2');
    s.attach();
    s.end(true, 'act-2');
    expect(s.stops).toEqual([]);
    s.exit();
    expect(s.steps).toEqual(['start']);
  });

  it('is restarted: its end is no failure, and a former stop does not count any more', () => {
    const s = new Stage();
    s.act('stop');
    s.exit();
    s.end(true);
    s.act('restart', 'act-2');
    s.attach();
    s.end(true, 'act-2');
    expect(s.stops).toEqual([]);
    s.act('restart', 'act-3');
    s.exit();
    expect(s.steps).toEqual([]);
    s.attach();
    s.end(true, 'act-3');
    s.exit();
    expect(s.steps).toEqual(['start']);
  });

  it('leaves it off over a boot of the host, and lets it go by release', () => {
    const s = new Stage();
    s.act('stop');
    s.exit();
    s.end(true);
    s.send({ type: 'host-booted' });
    s.send({ type: 'vm-looked', vm: VM, running: false });
    expect(s.steps).toEqual([]);
    s.send({ type: 'release', vm: VM, author: 'bob@2' });
    expect(s.steps).toEqual(['start']);
  });

  it('is brought back where it was to be made anew and that failed', () => {
    const s = new Stage();
    s.act('recreate');
    s.exit();
    expect(s.steps).toEqual([]);
    s.end(false);
    expect(s.steps).toEqual(['start']);
  });

  it('wants nothing any more when a stop failed and the VM runs on', () => {
    const s = new Stage();
    s.act('stop');
    s.end(false);
    s.exit();
    expect(s.steps).toEqual(['start']);
  });

  it('is waited for after a daemon that died in it, but not for ever', () => {
    const s = new Stage();
    s.act('start');
    s.exit();
    s.restart();
    s.send({ type: 'vm-looked', vm: VM, running: false });
    expect(s.steps).toEqual([]);
    s.now += 120_000;
    s.send({ type: 'tick' });
    expect(s.steps).toEqual(['start']);
  });

  it('forgets a VM for good that was deleted', () => {
    const s = new Stage();
    s.act('delete');
    s.exit();
    s.send({ type: 'vm-removed', vm: VM });
    expect(s.state.vms.has(VM)).toBe(false);
  });
});
