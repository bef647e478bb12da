import { systemClock } from '../../../src/model/clock.js';
import type { Driver, VmmSession } from '../../../src/model/ports.js';
import type { Invariant } from '../../../src/policy/invariant-list.js';
import { defineRecovery, type Recovery } from '../../../src/recovery/recovery.js';
import { testVm } from '../qemu/fixtures.js';
import { actionOf, carriedOut } from './step-properties.js';

/** A step, or what carries it out, that is broken on purpose: what is said of it, and what harm it did all the same. */
export interface LiveStep {
  readonly name: string;
  readonly breaks: Invariant;
  readonly provoke: () => Promise<{ told: readonly string[]; harm: readonly string[] }>;
  readonly said: RegExp;
}

async function endsUnproven() {
  const [told, harm]: [string[], string[]] = [[], []];
  const vm = testVm();
  const careless = defineRecovery({
    endsGuest: false,
    prove: async () => {},
    act: ({ endVmm }) => endVmm('force'),
  });
  const session = { stop: async () => void harm.push('stop') } as unknown as VmmSession;
  await careless.run(actionOf('power-cycle', vm.id), {
    vm,
    driver: {} as unknown as Driver,
    session,
    clock: systemClock,
    signal: new AbortController().signal,
    save: () => {},
    onViolation: (what) => told.push(what),
  });
  return { told, harm };
}

async function actsOffRecord() {
  const [told, harm]: [string[], string[]] = [[], []];
  const acts: Recovery = {
    async run() {
      harm.push('acted');
      return { result: 'done' };
    },
  };
  // Says that it wrote, and did not.
  const forgetful = { durable: async () => {}, note: () => {}, isOpen: () => false };
  await carriedOut(actionOf('reset', 'test/a'), acts, forgetful, false, told);
  return { told, harm };
}

export const LIVE_STEPS: readonly LiveStep[] = [
  {
    name: 'a VMM that is ended without proof',
    breaks: 'proven-start',
    provoke: endsUnproven,
    said: /before it was proven that it can be started/,
  },
  {
    name: 'an action without an entry of the journal',
    breaks: 'journalled',
    provoke: actsOffRecord,
    said: /without a durable entry/,
  },
];
