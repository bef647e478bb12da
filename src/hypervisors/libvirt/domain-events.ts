import { plainText } from '../../model/plain-text.js';
import type { VmmEvent } from '../../model/ports.js';
import { ResetBurst } from '../vmm/reset-burst.js';
import { readDomain } from './rpc/domain.js';
import type { DomainState } from './rpc/libvirt.js';
import type { XdrReader } from './rpc/xdr.js';

/** virDomainEventID of what is heard. */
const IDS = { lifecycle: 0, reboot: 1, watchdog: 3, ioErrorReason: 6, migrationIteration: 20 } as const;
export const EVENT_IDS: readonly number[] = Object.values(IDS);

/** Procedures by which they come. */
const MESSAGES = {
  lifecycle: 318,
  reboot: 319,
  watchdog: 321,
  ioErrorReason: 324,
  migrationIteration: 359,
} as const;

const WATCHDOG_ACTIONS = ['none', 'pause', 'reset', 'poweroff', 'shutdown', 'debug', 'inject-nmi'];

/** virDomainEventType. */
const SUSPENDED = 3;
const RESUMED = 4;
const STOPPED = 5;
const SHUTDOWN = 6;
const CRASHED = 8;

/** virDomainEventStoppedDetailType, of those that say more than that it ended. */
const STOPPED_WHY: Readonly<Record<number, { readonly guest: boolean; readonly reason: string }>> = {
  0: { guest: true, reason: 'guest-shutdown' },
  1: { guest: false, reason: 'destroyed' },
  2: { guest: true, reason: 'guest-panic' },
  3: { guest: false, reason: 'migrated' },
  4: { guest: false, reason: 'saved' },
};
/** virDomainShutoffReason: its reasons, as those of the event. */
const SHUTOFF_WHY: Readonly<Record<number, number>> = { 1: 0, 2: 1, 3: 2, 4: 3, 5: 4 };
const SHUTOFF = 5;
const ENDED: VmmEvent = { type: 'monitor', state: 'lost', why: 'libvirt says that the domain ended' };

/** virDomainEventShutdownDetailType. */
const SHUTDOWN_WHY: Readonly<Record<number, { readonly guest: boolean; readonly reason: string }>> = {
  1: { guest: true, reason: 'guest-shutdown' },
  2: { guest: false, reason: 'host-signal' },
};

/** Translates what libvirt tells of one domain into the words of no particular hypervisor. */
export class EventMapper {
  readonly #resets = new ResetBurst();
  #saidWhy = false;

  /** Nothing: nothing that anybody has to know. `asked`: a reset or reboot of ours is under way. */
  map(procedure: number, body: XdrReader, asked: boolean, atMs: number): readonly VmmEvent[] {
    body.int();
    readDomain(body);
    switch (procedure) {
      case MESSAGES.lifecycle:
        return this.#lifecycle(body.int(), body.int(), asked);
      case MESSAGES.reboot:
        if (!this.#resets.isNew(atMs)) return [];
        return [{ type: 'reset', guest: !asked, reason: asked ? 'host-reset' : 'guest-reset' }];
      case MESSAGES.watchdog:
        return [{ type: 'watchdog', action: WATCHDOG_ACTIONS[body.int()] ?? 'unknown' }];
      case MESSAGES.ioErrorReason:
        return [ioError(body)];
      case MESSAGES.migrationIteration:
        return [{ type: 'migration', active: true, status: 'active' }];
      default:
        return [];
    }
  }

  #lifecycle(event: number, detail: number, asked: boolean): readonly VmmEvent[] {
    switch (event) {
      case SUSPENDED:
        return [{ type: 'paused' }];
      case RESUMED:
        return [{ type: 'resumed' }];
      case SHUTDOWN: {
        // In a reboot of ours libvirt lets the guest power off, and resets it then.
        if (asked) return [];
        this.#saidWhy = true;
        return [{ type: 'shutdown', ...(SHUTDOWN_WHY[detail] ?? { guest: true, reason: 'guest-shutdown' }) }];
      }
      case STOPPED: {
        const why = STOPPED_WHY[detail];
        // How it was shut down was said before; what ended it from outside is said only here.
        return why === undefined || (this.#saidWhy && why.guest)
          ? [ENDED]
          : [{ type: 'shutdown', ...why }, ENDED];
      }
      case CRASHED:
        return [detail === 1 ? { type: 'crash-loaded' } : { type: 'panicked', action: 'pause' }];
      default:
        return [];
    }
  }
}

/** What the state of a domain that libvirt keeps says of its end; nothing: it has not ended. */
export function endingOf({ state, reason }: DomainState): readonly VmmEvent[] {
  if (state !== SHUTOFF) return [];
  const why = STOPPED_WHY[SHUTOFF_WHY[reason] ?? -1];
  return why === undefined || why.reason === 'guest-panic' ? [ENDED] : [{ type: 'shutdown', ...why }, ENDED];
}

function ioError(body: XdrReader): VmmEvent {
  body.string();
  const device = plainText(body.string(), 64);
  body.int();
  return { type: 'io-error', device, noSpace: body.string() === 'enospc' };
}
