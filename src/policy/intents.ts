import type { VmId } from '../model/vm.js';
import { type StepContext, say } from './context.js';
import { wantsAfterFailure } from './exits.js';
import { endMaintenance, type HoldRecord } from './people.js';
import { bounded } from './text.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** What a person wants of a VM (null: of all), until it is withdrawn or over; automation obeys. */
export interface Intent {
  readonly vm: VmId | null;
  readonly what: 'hold' | 'maintenance' | 'scheduled' | 'stop';
  /** Who said so; of a stop from outside nobody knows. */
  readonly author: string;
  readonly reason: string;
  readonly sinceMs: number;
  readonly untilMs: number | null;
}

/** Every intent in force, those of all VMs first. */
export function intentsOf(state: PolicyState): Intent[] {
  const list: Intent[] = [];
  if (state.host.hold) list.push(intent(null, 'hold', state.host.hold));
  for (const vm of state.vms.values()) {
    if (vm.hold) list.push(intent(vm.id, 'hold', vm.hold));
    if (vm.maintenance) list.push(intent(vm.id, 'maintenance', vm.maintenance));
    if (vm.scheduled) {
      const { step, author, reason, sinceMs } = vm.scheduled;
      list.push({
        vm: vm.id,
        what: 'scheduled',
        author,
        reason: `${step}: ${reason}`,
        sinceMs,
        untilMs: null,
      });
    }
    if (isStoppedByPerson(vm) && vm.ended) {
      const reason = vm.ended.diagnosis.evidence.map((e) => e.text).join('; ');
      const { atMs: sinceMs } = vm.ended;
      const outside = { author: 'somebody outside', reason, sinceMs, untilMs: null };
      list.push(intent(vm.id, 'stop', vm.off ?? outside));
    }
  }
  return list;
}

function intent(vm: VmId | null, what: Intent['what'], hold: HoldRecord): Intent {
  return { vm, what, ...hold };
}

function isStoppedByPerson(vm: PolicyVmState): boolean {
  return vm.spec !== null && vm.ended?.diagnosis.cause === 'operator-stop' && vm.ended.back === 'never';
}

/** Withdraws what persons wanted of one VM, or of all. What was asked of all stays unless all is withdrawn. */
export function clearIntents(ctx: StepContext, only: PolicyVmState | null, author: string): void {
  if (only) clear(ctx, only, author);
  else {
    ctx.state.host.hold = null;
    for (const vm of ctx.state.vms.values()) clear(ctx, vm, author);
    say(ctx, {
      vm: null,
      kind: 'note',
      rule: 'intents',
      text: `${bounded(author)} withdrew what persons wanted`,
    });
  }
}

function clear(ctx: StepContext, vm: PolicyVmState, author: string): void {
  const was: string[] = [];
  if (vm.hold) was.push('hold');
  vm.hold = null;
  if (vm.maintenance) was.push('maintenance');
  endMaintenance(ctx, vm, `withdrawn by ${bounded(author)}`);
  if (vm.scheduled) was.push('scheduled maintenance');
  vm.scheduled = null;
  if (isStoppedByPerson(vm) && vm.ended) withdrawStop(vm, was);
  if (was.length === 0) return;
  say(ctx, { vm, kind: 'note', rule: 'intents', text: `${bounded(author)} withdrew ${was.join(', ')}` });
}

function withdrawStop(vm: PolicyVmState, was: string[]): void {
  vm.off = null;
  if (!vm.ended || !wantsAfterFailure(vm)) return;
  was.push('stop');
  vm.ended.back = 'failure';
}
