import { z } from 'zod';
import { countField } from '../probes/fields.js';

/** How the probe engine runs. */
export interface EngineConfig {
  readonly backend: 'auto' | 'native' | 'portable';
  readonly maxInFlight: number;
  readonly maxInFlightPerDestination: number;
  readonly maxPacketsPerSecond: number;
  readonly tickMs: number;
  readonly lateMs: number;
  readonly blindAfter: number;
  readonly threads: number;
  readonly reactor: 'auto' | 'epoll';
}

export const engineSchema = z.strictObject({
  backend: z.enum(['auto', 'native', 'portable']).meta({ unit: 'choice', example: 'auto' }).optional(),
  maxInFlight: countField({ unit: 'count', example: '4096' }, 1, 1_000_000).optional(),
  maxInFlightPerDestination: countField({ unit: 'count', example: '64' }, 1, 65_536).optional(),
  maxPacketsPerSecond: countField({ unit: 'count', example: '250000' }, 1, 10_000_000).optional(),
  tickMs: countField({ unit: 'ms', example: '2' }, 1, 1000).optional(),
  lateMs: countField({ unit: 'ms', example: '250' }, 1, 60_000).optional(),
  blindAfter: countField({ unit: 'count', example: '3' }, 1, 1000).optional(),
  threads: countField({ unit: 'count', example: '1' }, 1, 64).optional(),
  reactor: z.enum(['auto', 'epoll']).meta({ unit: 'choice', example: 'auto' }).optional(),
});

export function buildEngine(engine: z.output<typeof engineSchema> = {}): EngineConfig {
  return {
    backend: engine.backend ?? 'auto',
    maxInFlight: engine.maxInFlight ?? 4096,
    maxInFlightPerDestination: engine.maxInFlightPerDestination ?? 64,
    maxPacketsPerSecond: engine.maxPacketsPerSecond ?? 250_000,
    tickMs: engine.tickMs ?? 2,
    lateMs: engine.lateMs ?? 250,
    blindAfter: engine.blindAfter ?? 3,
    threads: engine.threads ?? 1,
    reactor: engine.reactor ?? 'auto',
  };
}
