/**
 * What must hold whatever happens. Each is asserted in the daemon as it runs, checked by properties over random events, and
 * has a policy that is broken on purpose which the simulator must catch (test/unit/policy/invariant-ties.test.ts).
 */
export const INVARIANTS = {
  'one-action': 'At most one action is in flight per VM, and as many on the host as it has slots.',
  'one-vmm': 'There are never two VMMs of one VM.',
  permitted:
    'No action, save for a person, in maintenance, under suspension, in grace, against a hold, brake, incident, veto or window.',
  budget: 'No action over the budgets of its VM, no boot over those of its host.',
  inconclusive: 'Nothing inconclusive brings a VM nearer to an action.',
  journalled:
    'Every action has a durable entry before it begins and one after; one that a daemon died in is looked at, not repeated.',
  'acted-on': 'A VM that fails is acted on, or waits for something that is said or will come.',
  founded: 'A VM without a fault is never acted on: evidence that is fresh asks for the very action.',
  bounded: 'Everything that grows has a bound: queues, history, retries, evidence.',
  'proven-start': 'No step ends a VMM before it was proven that its VM can be started.',
} as const;

export type Invariant = keyof typeof INVARIANTS;

/** One that does not hold. */
export interface Broken {
  readonly invariant: Invariant;
  readonly text: string;
}
