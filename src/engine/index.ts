/** Public API of vmpulse/engine. */
export { ProbeEngine, type ProbeEngineOptions } from './engine.js';
export type {
  Channel,
  ChannelEvent,
  ChannelOptions,
  Due,
  Endpoint,
  EngineEvent,
  EngineOptions,
  EngineStats,
  Target,
  TargetCheck,
  TargetStatus,
  Transition,
} from './probe-engine.js';
