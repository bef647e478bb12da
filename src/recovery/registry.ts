import { LADDER_STEPS, type LadderStep } from '../model/action.js';
import { cleanup } from './cleanup.js';
import { continueProcess } from './continue-process.js';
import { exec } from './exec.js';
import { powerCycle } from './power-cycle.js';
import { reboot } from './reboot.js';
import type { Recovery } from './recovery.js';
import { recreate } from './recreate.js';
import { reset } from './reset.js';
import { resetNetwork } from './reset-network.js';
import { restartService } from './restart-service.js';
import { resume } from './resume.js';
import { start } from './start.js';

export type { RecoveryContext } from './recovery.js';

/** Recoveries by ladder step. `escalate` has none: it tells people and touches nothing. */
export type RecoveryRegistry = ReadonlyMap<LadderStep, Recovery>;

/** A host program's own recoveries, instead of or beside the built-in ones. */
export type RecoveryOverrides = Partial<Readonly<Record<LadderStep, Recovery>>>;

/** One line a recovery. */
const BUILT_IN: readonly (readonly [LadderStep, Recovery])[] = [
  ['continue-process', continueProcess],
  ['resume', resume],
  ['restart-service', restartService],
  ['exec', exec],
  ['reset-network', resetNetwork],
  ['cleanup', cleanup],
  ['start', start],
  ['reboot', reboot],
  ['reset', reset],
  ['power-cycle', powerCycle],
  ['recreate', recreate],
];

export function createRecoveries(overrides: RecoveryOverrides = {}): RecoveryRegistry {
  const registry = new Map(BUILT_IN);
  for (const step of LADDER_STEPS) {
    const own = overrides[step];
    if (own !== undefined) registry.set(step, own);
  }
  return registry;
}
