export { ACT_VERBS, type ActVerb } from './acts.js';
export { heldMeanwhile } from './blockers.js';
export { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from './defaults.js';
export type { Attempt, Episode } from './episode.js';
export { type Explanation, explain } from './explain.js';
export { type Intent, intentsOf } from './intents.js';
export { assertInvariants } from './invariants.js';
export { type KeptBy, ReadyList } from './readiness.js';
export { RULES, type Rule } from './rules.js';
export { maintenanceBlockers } from './scheduled.js';
export { HOST_ROW, hostText, restore, serialize, vmRow, vmText } from './snapshot.js';
export { createPolicy, step } from './step.js';
export { holdsOf, type PersonHold, type ProbeSummary, summarize, type VmSummary } from './summary.js';
export type {
  Decision,
  DecisionKind,
  PolicyConfig,
  PolicyEffect,
  PolicyEvent,
  PolicyProbe,
  PolicyState,
  PolicyVm,
  StepResult,
} from './types.js';
