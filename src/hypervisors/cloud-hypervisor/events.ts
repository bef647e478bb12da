import { z } from 'zod';
import type { ChannelEvent } from '../../engine/probe-engine.js';
import type { VmmEvent } from '../../model/ports.js';
import { ResetBurst } from '../vmm/reset-burst.js';

const PANIC = z.object({ event: z.string() });
const MIGRATES: Readonly<Record<string, boolean>> = {
  'vm.migration-started': true,
  'vm.migration-finished': false,
  'vm.migration-failed': false,
};

/** Translates what the event monitor says into the words of no particular hypervisor. */
export class EventMapper {
  readonly #resets = new ResetBurst();

  /**
   * Undefined: nothing that anybody has to know; what was lost, the probe of the run state says.
   * It does not tell who ended or reset the guest: `asked` says whether it was us.
   */
  map(event: ChannelEvent, asked: boolean): VmmEvent | undefined {
    if (event.type !== 'event') return undefined;
    const { name, data, atMs } = event;
    switch (name) {
      case 'guest.panic':
        // The guest goes on or reboots as its own kernel is told to; the VMM does nothing.
        return PANIC.safeParse(data).data?.event === 'crash_loaded'
          ? { type: 'crash-loaded' }
          : { type: 'panicked', action: 'none' };
      case 'vm.paused':
        return { type: 'paused' };
      case 'vm.resumed':
        return { type: 'resumed' };
      case 'vm.rebooted':
        if (!this.#resets.isNew(atMs)) return undefined;
        return { type: 'reset', guest: !asked, reason: asked ? 'vm.reboot' : 'guest-reset' };
      case 'vm.shutdown':
        return { type: 'shutdown', guest: !asked, reason: asked ? 'vm.shutdown' : 'guest-shutdown' };
    }
    const active = Object.hasOwn(MIGRATES, name) ? MIGRATES[name] : undefined;
    return active === undefined ? undefined : { type: 'migration', active, status: name };
  }
}
