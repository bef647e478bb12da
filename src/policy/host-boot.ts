import { type StepContext, say } from './context.js';
import { close } from './episode.js';
import type { HostSigns } from './host-state.js';
import { forget } from './instance.js';
import { newProbeRecord } from './probe-record.js';
import type { Rule } from './rules.js';
import { bounded } from './text.js';
import type { PolicyVmState } from './vm-state.js';
import { noFacts } from './vmm-facts.js';

/** A new boot of the host is start-up, not failure: every VMM is gone, and none of them for a reason of its own. */
export function noteHostBooted(ctx: StepContext): void {
  for (const vm of ctx.state.vms.values()) startOver(ctx, vm);
  const text = 'the host began a new boot; what ended with it is started by its run strategy';
  say(ctx, { vm: null, kind: 'note', rule: 'host-booted', text });
}

/** Quarantine, budgets, holds, and a stop that a person asked for outlive the host's boot; nothing else does. */
function startOver(ctx: StepContext, vm: PolicyVmState): void {
  endInterrupted(ctx, vm);
  close(ctx, vm, 'intended');
  vm.interrupted = vm.everRan && vm.ended === null;
  const stays = vm.ended?.back === 'never' && !vm.ended.bySignal;
  if (!stays) vm.ended = null;
  vm.running = null;
  vm.vmm = null;
  vm.vmmStartedAtMs = null;
  vm.instanceAtMs = 0;
  vm.graceUntilMs = null;
  vm.guestBoots = 0;
  vm.facts = noFacts();
  for (const [name, record] of vm.probes) vm.probes.set(name, newProbeRecord(record.spec));
  forget(vm);
  vm.startupPending = false;
  vm.act = null;
  vm.actionHeld = null;
  vm.impossible = {};
  vm.budget.tries = 0;
  vm.budget.breakerUntilMs = null;
}

function endInterrupted(ctx: StepContext, vm: PolicyVmState): void {
  const record = vm.action;
  if (!record) return;
  vm.action = null;
  ctx.state.host.busy.delete(vm.id);
  const attempt = vm.episode?.attempts.find((a) => a.actionId === record.action.id);
  if (!attempt) return;
  attempt.endedAtMs = ctx.now;
  attempt.result = { result: 'failed', code: 'interrupted', message: 'the host went down' };
}

/** What is seen of the host itself changed. A shutdown concerns everybody, pressure those that wait for a slot. */
export function noteHostSigns(ctx: StepContext, signs: HostSigns): 'all' | null {
  const { host } = ctx.state;
  const before = host.signs;
  host.signs = {
    shutdown: signs.shutdown === null ? null : bounded(signs.shutdown),
    pressure: signs.pressure === null ? null : bounded(signs.pressure),
    memory: signs.memory === null ? null : bounded(signs.memory),
  };
  tell(ctx, 'host-shutdown', before.shutdown, host.signs.shutdown, 'the host shuts down, nothing is started');
  tell(ctx, 'host-pressure', before.pressure, host.signs.pressure, 'boots come one by one');
  tell(ctx, 'host-memory', before.memory, host.signs.memory, 'no VMM is started');
  const same = (what: 'shutdown' | 'memory') => (before[what] === null) === (host.signs[what] === null);
  return same('shutdown') && same('memory') ? null : 'all';
}

/** Says when it begins and when it is over, not every time that it looks a little different. */
function tell(ctx: StepContext, rule: Rule, before: string | null, now: string | null, what: string): void {
  if ((before === null) === (now === null)) return;
  if (now === null) say(ctx, { vm: null, kind: 'note', rule, text: 'over: recovery goes on as usual' });
  else say(ctx, { vm: null, kind: 'hold', rule, text: `${what}: ${now}` });
}
