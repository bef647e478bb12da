import { z } from 'zod';
import type { ChannelEvent } from '../../engine/probe-engine.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import { MonitorStates } from '../vmm/monitor-states.js';
import { ResetBurst } from '../vmm/reset-burst.js';

const text = z
  .string()
  .transform((value) => plainText(value, 64))
  .catch('unknown');
const yes = z.boolean().catch(false);
const ENDING = z.object({ guest: yes, reason: text });
const ACTION = z.object({ action: text });
const MIGRATION = z.object({ status: text });
const MIGRATION_OVER: ReadonlySet<string> = new Set(['none', 'completed', 'failed', 'cancelled', 'unknown']);
const IO_ERROR = z.object({ device: text, 'node-name': text, nospace: yes });

/** Translates what a monitor channel says into the words of no particular hypervisor. */
export class EventMapper {
  readonly #monitor = new MonitorStates();
  readonly #resets = new ResetBurst();

  /** Undefined: nothing that anybody has to know. Data of another shape than expected becomes `unknown`. */
  map(event: ChannelEvent): VmmEvent | undefined {
    if (event.type === 'event') return this.#mapQmp(event.name, data(event.data), event.atMs);
    // The probe of the run state says what the lost events would have said.
    if (event.type === 'dropped') return undefined;
    return this.#monitor.map(event);
  }

  #mapQmp(name: string, fields: object, atMs: number): VmmEvent | undefined {
    switch (name) {
      case 'RESET':
        return this.#resets.isNew(atMs) ? { type: 'reset', ...ENDING.parse(fields) } : undefined;
      case 'SHUTDOWN':
        return { type: 'shutdown', ...ENDING.parse(fields) };
      case 'POWERDOWN':
        return { type: 'powerdown' };
      case 'STOP':
        return { type: 'paused' };
      case 'RESUME':
        return { type: 'resumed' };
      case 'MIGRATION': {
        const { status } = MIGRATION.parse(fields);
        return { type: 'migration', active: !MIGRATION_OVER.has(status), status };
      }
      case 'WATCHDOG':
        return { type: 'watchdog', ...ACTION.parse(fields) };
      case 'GUEST_PANICKED':
        return { type: 'panicked', ...ACTION.parse(fields) };
      case 'GUEST_CRASHLOADED':
        return { type: 'crash-loaded' };
      case 'BLOCK_IO_ERROR': {
        const error = IO_ERROR.parse(fields);
        return { type: 'io-error', device: error.device || error['node-name'], noSpace: error.nospace };
      }
      default:
        return undefined;
    }
  }
}

function data(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
