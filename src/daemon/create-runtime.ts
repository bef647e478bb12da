import type { DaemonConfig } from '../config/index.js';
import { ProbeEngine } from '../engine/index.js';
import type { Logger } from '../model/logger.js';
import type { VmSpec } from '../model/vm.js';
import type { ObservableJournal } from '../runtime/journal/index.js';
import type { Metrics } from '../runtime/metrics/metrics.js';
import { Vmpulse } from '../runtime/vmpulse.js';
import type { Owned } from './owned.js';

interface RuntimeParts {
  readonly config: DaemonConfig;
  readonly vms: readonly VmSpec[];
  readonly journal: ObservableJournal;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** The runtime with its engine, as the configuration wants them; not started yet. */
export function createRuntime({ config, ...parts }: RuntimeParts, owned: Owned): Vmpulse {
  const { backend, ...engineOptions } = config.engine;
  let fallback: string | undefined;
  const engine = new ProbeEngine({
    engine: backend,
    ...engineOptions,
    onFallback: (error) => {
      fallback = error.message;
    },
  });
  owned.add('engine', () => engine.close());
  const vmpulse = new Vmpulse({
    ...parts,
    runDir: config.runDir,
    stateDir: config.stateDir,
    host: config.hostName,
    engine,
    policy: config.limits,
    networks: config.networks,
    hooks: config.hooks,
  });
  owned.add('runtime', () => vmpulse.close());
  if (fallback !== undefined) vmpulse.degrade('engine', `the portable engine is used: ${fallback}`);
  return vmpulse;
}
