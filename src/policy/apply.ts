import { noteActionEnded, noteActionHeld } from './actions.js';
import { noteActivity } from './activity.js';
import { noteAct, noteActEnded } from './acts.js';
import { noteConfirmed } from './confirm.js';
import type { StepContext } from './context.js';
import { ignored } from './evaluate.js';
import { noteProbe, noteVmmEvent } from './facts.js';
import { noteLimits } from './host.js';
import { noteHostBooted, noteHostSigns } from './host-boot.js';
import { resetProbes } from './instance.js';
import { clearIntents } from './intents.js';
import { attached, looked } from './looks.js';
import {
  noteHold,
  noteJournal,
  noteJournalLost,
  noteMaintenance,
  noteRelease,
  noteUnhold,
} from './people.js';
import { noteSchedule } from './scheduled.js';
import type { PolicyEvent } from './types.js';
import type { PolicyVmState } from './vm-state.js';
import { configured, removed } from './watched.js';

/** Notes the event, and says whom it concerns. */
export function apply(ctx: StepContext, event: PolicyEvent): PolicyVmState | 'all' | null {
  switch (event.type) {
    case 'tick':
      return null;
    case 'journal':
      return noteJournal(ctx, event.available) ? 'all' : null;
    case 'journal-lost':
      noteJournalLost(ctx, event.why);
      return 'all';
    case 'gathering':
      ctx.state.host.gathering = event.gathering;
      return 'all';
    case 'host-signs':
      return noteHostSigns(ctx, event.signs);
    case 'limits':
      noteLimits(ctx, event.limits);
      return 'all';
    case 'host-booted':
      noteHostBooted(ctx);
      return 'all';
    case 'hold':
    case 'unhold':
    case 'clear-intents': {
      if (event.vm === null) {
        if (event.type === 'hold') noteHold(ctx, null, event);
        else if (event.type === 'unhold') noteUnhold(ctx, null, event.author);
        else clearIntents(ctx, null, event.author);
        return 'all';
      }
      break;
    }
    case 'vm-configured':
      return configured(ctx, event);
    default:
  }
  const vm = ctx.state.vms.get(event.vm ?? '');
  if (!vm) {
    ignored(ctx, null, `${event.type} for a VM that is not known: ${event.vm}`);
    return null;
  }
  // Some events come again and again and say what is known: nothing follows from them.
  if (event.type === 'vm-looked') return looked(ctx, vm, event.running) ? vm : null;
  if (event.type === 'activity') return noteActivity(vm, event.moved, event.atMs) ? vm : null;
  applyToVm(ctx, vm, event);
  return ctx.state.vms.has(vm.id) ? vm : null;
}

function applyToVm(
  ctx: StepContext,
  vm: PolicyVmState,
  event: Exclude<
    PolicyEvent,
    {
      type:
        | 'tick'
        | 'journal'
        | 'journal-lost'
        | 'gathering'
        | 'host-signs'
        | 'limits'
        | 'host-booted'
        | 'vm-configured'
        | 'vm-looked'
        | 'activity';
    }
  >,
): void {
  switch (event.type) {
    case 'vm-removed':
      removed(ctx, vm);
      return;
    case 'vm-attached':
      attached(ctx, vm, event);
      return;
    case 'probe':
      noteProbe(ctx, vm, event);
      return;
    case 'vmm-event':
      noteVmmEvent(ctx, vm, event.event, event.atMs);
      return;
    case 'confirmed':
      noteConfirmed(ctx, vm, event.confirmId, event.outcomes);
      return;
    case 'action-ended':
      noteActionEnded(ctx, vm, event.actionId, event.result);
      return;
    case 'action-held':
      noteActionHeld(ctx, vm, event);
      return;
    case 'act':
      noteAct(ctx, vm, event.act);
      return;
    case 'act-ended':
      noteActEnded(ctx, vm, event);
      return;
    case 'hold':
      noteHold(ctx, vm, event);
      return;
    case 'unhold':
      noteUnhold(ctx, vm, event.author);
      return;
    case 'maintenance':
      noteMaintenance(ctx, vm, event);
      return;
    case 'schedule':
      noteSchedule(ctx, vm, event);
      return;
    case 'clear-intents':
      clearIntents(ctx, vm, event.author);
      return;
    case 'probes-reset':
      resetProbes(ctx, vm, event);
      return;
    case 'release':
      noteRelease(ctx, vm, event.author);
      return;
  }
}
