import type { LadderStep } from '../model/action.js';
import type { DiagnosisCause } from '../model/health.js';
import type { ConcludedKind } from './rules.js';

export interface Ladder {
  /** Mildest first; each is tried once. */
  readonly steps: readonly LadderStep[];
  /** The strongest step that can be carried out is repeated until the budget ends it. */
  readonly repeatLast: boolean;
}

/** A ladder and what it answers; `cause` null: every cause of the kind that has no ladder of its own. */
export interface LadderEntry extends Ladder {
  readonly kind: ConcludedKind;
  readonly cause: DiagnosisCause | null;
}

const BOOTS = ['reboot', 'reset', 'power-cycle'] as const;

/** What answers a diagnosis. The picture docs/internals/policy/ladders.svg is made of this table. */
export const LADDERS: readonly LadderEntry[] = [
  { kind: 'vmm-dead', cause: null, steps: ['start'], repeatLast: true },
  { kind: 'host-memory', cause: null, steps: ['start'], repeatLast: true },
  { kind: 'intended', cause: null, steps: ['start'], repeatLast: true },
  { kind: 'guest-hung', cause: null, steps: ['reset', 'power-cycle', 'recreate'], repeatLast: true },
  {
    kind: 'service',
    cause: 'service-unreachable',
    steps: ['restart-service', 'exec', ...BOOTS],
    repeatLast: true,
  },
  { kind: 'service', cause: 'agent-unreachable', steps: BOOTS, repeatLast: true },
  { kind: 'network', cause: 'link-broken', steps: ['reset-network'], repeatLast: true },
  // Only a new VMM attaches to a device again.
  { kind: 'network', cause: 'link-lost', steps: ['power-cycle'], repeatLast: true },
  { kind: 'network', cause: null, steps: ['reset-network', 'reboot'], repeatLast: false },
  { kind: 'resource', cause: null, steps: ['cleanup', 'exec'], repeatLast: false },
  { kind: 'storage', cause: 'disk-full', steps: ['resume'], repeatLast: true },
  { kind: 'storage', cause: 'disk-io-error', steps: [], repeatLast: false },
  { kind: 'vmm-stopped', cause: null, steps: ['continue-process', 'power-cycle'], repeatLast: true },
  { kind: 'vmm-wedged', cause: null, steps: ['power-cycle'], repeatLast: true },
];
