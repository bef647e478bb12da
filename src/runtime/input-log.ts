import type { Outcome } from '../model/outcome.js';
import type { VmId } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import type { Recorder } from './recorder.js';

/** What has an entry of its own, which says as much. */
type Untold = Exclude<PolicyEvent, { type: 'tick' | 'probe' | 'vmm-event' | 'action-ended' }>;

/**
 * Journals what the policy is told beside transitions, VMM events and ends of actions, so that a journal can be
 * replayed. While all is well nothing is told: these come with starts, commands and suspicions.
 */
export class InputLog {
  readonly #recorder: Recorder;
  /** Which counters moved when that was last journalled, by VM. */
  readonly #moved = new Map<VmId, string>();
  /** VMs that were last found without a VMM. */
  readonly #off = new Set<VmId>();

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** The counters of a VM are about to be compared, or not any more: the first comparison is news. */
  beginWatch(vm: VmId): void {
    this.#moved.delete(vm);
  }

  note(event: PolicyEvent): void {
    this.#recorder.noteClock();
    switch (event.type) {
      case 'tick':
      case 'probe':
      case 'vmm-event':
      case 'action-ended':
        return;
      case 'activity':
        // Comes every few seconds for as long as something is suspected; only a change is news.
        if (!this.#isNews(event.vm, event.moved)) return;
        break;
      case 'vm-looked':
        // Found off every few seconds until somebody starts it.
        if (!event.running && this.#off.has(event.vm)) return;
        if (!event.running) this.#off.add(event.vm);
        break;
      case 'vm-attached':
      case 'vm-removed':
        this.#off.delete(event.vm);
        break;
      default:
    }
    this.#recorder.note({
      vm: vmOf(event),
      type: 'input',
      actionId: null,
      text: inputText(event),
      data: { event },
    });
  }

  #isNews(vm: VmId, moved: readonly string[]): boolean {
    const names = moved.join();
    if (this.#moved.get(vm) === names) return false;
    this.#moved.set(vm, names);
    return true;
  }
}

function vmOf(event: Untold): VmId | null {
  if (event.type === 'vm-configured') return event.vm.id;
  return 'vm' in event ? event.vm : null;
}

/** What the policy was told, for a person. */
function inputText(event: Untold): string {
  switch (event.type) {
    case 'vm-configured':
      return `configured: ${event.vm.runStrategy}, ${event.vm.probes.length} probes`;
    case 'vm-looked':
      return `looked at: its VMM ${event.running ? 'runs' : 'does not run'}`;
    case 'vm-attached':
      return `attached to the VMM started at ${new Date(event.startedAtMs).toISOString()} (${event.status})`;
    case 'confirmed':
      return `fresh look: ${outcomesText(event.outcomes)}`;
    case 'activity':
      return event.moved.length === 0
        ? 'the guest moves nothing'
        : `the guest moves ${event.moved.join(', ')}`;
    case 'host-signs': {
      const signs = Object.values(event.signs).filter((sign) => sign !== null);
      return signs.length === 0 ? 'the host shows nothing of note any more' : `the host: ${signs.join('; ')}`;
    }
    case 'limits':
      return 'other limits of the host hold';
    default:
      return `the policy was told ${event.type}`;
  }
}

function outcomesText(outcomes: Readonly<Record<string, Outcome>>): string {
  const said = Object.entries(outcomes).map(([probe, outcome]) =>
    outcome.result === 'ok' ? `${probe} ok` : `${probe} ${outcome.result} (${outcome.reason})`,
  );
  return said.length === 0 ? 'nothing answered' : said.join(', ');
}
