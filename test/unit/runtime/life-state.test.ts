import { describe, expect, it } from 'vitest';
import { limitOf } from '../../../src/lifecycle/life-watch.js';
import { createPolicy, DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY, step } from '../../../src/policy/index.js';
import type { PolicyEvent } from '../../../src/policy/types.js';
import { LIFE_STATES, lifeStateOf } from '../../../src/runtime/life-state.js';

const VM = 'default/web';
const act = (verb: 'start' | 'stop' | 'delete'): PolicyEvent => ({
  type: 'act',
  vm: VM,
  act: { id: verb, verb, author: 'ann', reason: 'tests', untilMs: 10_000_000 },
});
const attached: PolicyEvent = {
  type: 'vm-attached',
  vm: VM,
  startedAtMs: 1,
  vmm: 'one',
  fresh: true,
  status: 'running',
};
const event = (type: 'paused' | 'exited'): PolicyEvent => ({
  type: 'vmm-event',
  vm: VM,
  event: { type },
  atMs: 5,
});

function after(runStrategy: 'Always' | 'Manual', ...events: readonly PolicyEvent[]): string {
  let state = createPolicy(DEFAULT_POLICY_CONFIG);
  const recovery = { ...DEFAULT_RECOVERY, enabled: false };
  const vm = { id: VM, runStrategy, recovery, probes: [], steps: ['start' as const] };
  const all = [{ type: 'vm-configured' as const, vm }, ...events];
  for (const [index, each] of all.entries()) state = step(state, each, index + 1).state;
  return lifeStateOf(state, VM);
}

describe('where a VM is in its life', () => {
  it.each([
    ['nobody has looked', 'PENDING', []],
    ['it runs', 'RUNNING', [attached]],
    ['it was paused', 'PAUSED', [attached, event('paused')]],
    ['a person starts it', 'STARTING', [act('start')]],
    ['a person stops it', 'STOPPING', [attached, act('stop')]],
    ['a person deletes it', 'DELETING', [attached, act('delete')]],
    [
      'it was stopped',
      'STOPPED',
      [attached, act('stop'), event('exited')].concat({
        type: 'act-ended',
        vm: VM,
        id: 'stop',
        done: true,
        text: '',
      }),
    ],
    ['its VMM died', 'FAILED', [attached, event('exited')]],
    ['it was off when first looked at', 'STOPPED', [{ type: 'vm-looked', vm: VM, running: false }]],
  ] as const satisfies readonly (readonly [
    string,
    string,
    readonly PolicyEvent[],
  ])[])('%s: %s', (_, state, events) => {
    expect(after('Manual', ...events)).toBe(state);
  });

  it('has a limit for each state that is to pass, and for no other', () => {
    const passing = LIFE_STATES.filter((state) => limitOf(state, { recovery: DEFAULT_RECOVERY }) !== null);
    expect(passing).toEqual(['PENDING', 'CREATING', 'STARTING', 'STOPPING', 'DELETING']);
  });
});
