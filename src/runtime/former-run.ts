import type { ProbeEngine } from '../engine/probe-engine.js';
import { errorMessage } from '../model/errors.js';
import type { Journal } from '../model/ports.js';
import { createPolicy } from '../policy/index.js';
import type { PolicyConfig, PolicyState } from '../policy/types.js';
import type { Recorder } from './recorder.js';
import type { StateStore } from './state-store.js';

/** What former runs left. `unread`: why it could not be read; the policy then begins anew. */
export interface FormerRun {
  readonly state: PolicyState;
  /** When it was stored, ms; null: not known, or nothing was. */
  readonly storedAtMs: number | null;
  readonly unread?: string;
}

/** Reads the policy's state, gives the engine its thresholds, and closes what a dead daemon left open. */
export async function readFormerRun(
  store: StateStore,
  recorder: Recorder,
  options: { readonly journal: Journal; readonly engine: ProbeEngine; readonly policy: PolicyConfig },
): Promise<FormerRun> {
  try {
    const storedAtMs = await store.loadStoredAt();
    await store.restoreEngine(options.engine);
    await closeUnfinished(options.journal, recorder);
    // Last: from then on what is stored may be written over.
    return { state: await store.loadPolicy(options.policy), storedAtMs };
  } catch (error) {
    return { state: createPolicy(options.policy), storedAtMs: null, unread: errorMessage(error) };
  }
}

/** An action that began and never ended: the former daemon died in it. It is resolved by looking, not by repeating. */
async function closeUnfinished(journal: Journal, recorder: Recorder): Promise<void> {
  for (const entry of await journal.unfinished()) {
    recorder.note({
      vm: entry.vm,
      type: 'action-end',
      actionId: entry.actionId,
      text: 'the daemon ended during this action; what it did is found out by looking',
      data: { result: 'unresolved' },
    });
  }
}
