import type { HookEvent } from '../model/hook.js';
import type { VmmEvent } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import type { PolicyEvent, PolicyState } from '../policy/types.js';
import type { HookPort } from './hooks/hook-views.js';
import { whyNow } from './hooks/why.js';
import type { Maintenance } from './maintenance/maintenance.js';
import type { Recorder } from './recorder.js';
import type { VmUnit } from './vm-unit.js';
import { monitorProblem, vmmEventText } from './vmm-event-text.js';

export interface VmmEventsOptions {
  readonly recorder: Recorder;
  readonly maintenance: Pick<Maintenance, 'noteVmmEvent'>;
  readonly hooks: HookPort | undefined;
  /** Undefined: nothing was started yet. */
  readonly state: () => PolicyState | undefined;
  readonly post: (event: PolicyEvent) => void;
  readonly degrade: (what: string, why: string | undefined) => void;
}

/** Passes on what is heard of VMMs: to the journal, the hooks, the list of degradations, maintenance and the policy. */
export class VmmEvents {
  readonly #options: VmmEventsOptions;

  constructor(options: VmmEventsOptions) {
    this.#options = options;
  }

  hear(unit: VmUnit, event: VmmEvent, atMs: number): void {
    const { recorder, maintenance, post, degrade } = this.#options;
    const { id } = unit.spec;
    const text = vmmEventText(event);
    recorder.note({ vm: id, type: 'vmm-event', actionId: null, atMs, text, data: { ...event } });
    if (event.type === 'exited') {
      degrade(`monitor/${id}`, undefined);
      this.#runHooks(unit, 'post-stop', 'ended by itself');
    }
    if (event.type === 'monitor') degrade(`monitor/${id}`, monitorProblem(event));
    maintenance.noteVmmEvent(id, event);
    post({ type: 'vmm-event', vm: id, event, atMs });
  }

  /** A VMM was found that has just been started. */
  started(unit: VmUnit): void {
    this.#runHooks(unit, 'post-start', 'started by others');
  }

  #runHooks(unit: VmUnit, event: HookEvent, otherwise: string): void {
    const { hooks, state } = this.#options;
    const id: VmId = unit.spec.id;
    hooks?.note(event, unit.spec, whyNow(state()?.vms.get(id), otherwise));
  }
}
