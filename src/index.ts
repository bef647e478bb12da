/** Public API of vmpulse. Importing it loads no native addon; the first ProbeEngine or driver that needs one does. */
export { type LoadedConfig, loadConfig } from './config/index.js';
export { ProbeEngine, type ProbeEngineOptions } from './engine/index.js';
export type {
  Channel,
  ChannelEvent,
  ChannelOptions,
  Endpoint,
  EngineEvent,
  EngineStats,
  Target,
  TargetCheck,
  TargetStatus,
  Transition,
} from './engine/probe-engine.js';
export {
  type ApplyRequest,
  type ApplyView,
  Documents,
  type DocumentsOptions,
  type ExecutionView,
  Lifecycle,
  type LifecycleOptions,
  type Plan,
  parsePlan,
} from './lifecycle/index.js';
export type { ActionResult, LadderStep, RecoveryAction } from './model/action.js';
export { type Clock, systemClock } from './model/clock.js';
export { ERROR_CODES, type ErrorCode, isVmpulseError, VmpulseError } from './model/errors.js';
export type { Diagnosis, HealthState } from './model/health.js';
export type { Hook, HookEvent, HookSettings } from './model/hook.js';
export type { Logger } from './model/logger.js';
export type { Outcome, ProbeResult, ProbeState } from './model/outcome.js';
export type { Driver, Journal, JournalEntry, Look, VmmEvent, VmmSession } from './model/ports.js';
export { DEFAULT_TIMING, type ProbeCheck, type ProbeSpec, type ProbeTiming } from './model/probe.js';
export { REASON_CLASS, type Reason, type ReasonClass } from './model/reasons.js';
export type { RecoverySpec, RunStrategy, VmId, VmSpec } from './model/vm.js';
export type { BeforeAction, Verdict } from './runtime/action-runner.js';
export type { CustomProbe, CustomProbes } from './runtime/custom-probes.js';
export type { Heartbeat } from './runtime/heartbeats.js';
export { openJournal } from './runtime/journal/index.js';
export { createMetrics, type Metrics, type MetricsOptions } from './runtime/metrics/metrics.js';
export type { ActRequest, ActTarget, ActWork } from './runtime/person-acts.js';
export type { ExplainView, HostView, RuntimeEvent, VmView } from './runtime/views.js';
export { Vmpulse } from './runtime/vmpulse.js';
export type { VmpulseOptions } from './runtime/vmpulse-options.js';
