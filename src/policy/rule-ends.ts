import type { Rule } from './rules.js';
import type { PolicyVmState } from './vm-state.js';

/** What a person, or time, has to do for a rule to let go; `<vm>` is the VM's name. Every rule that can hold is here. */
const ENDS: Readonly<Partial<Record<Rule, string>>> = {
  'observe-only':
    'It is enabled by `recovery.enabled` in its documents, or by `vmpulse config set --vm <vm> recovery.enabled true`.',
  unmanaged: 'It would act if the annotation were removed from its manifest.',
  'reconcile-paused': 'Removing the annotation from its manifest, and a reload, end this.',
  'person-hold': '`vmpulse recovery resume` ends the hold.',
  'journal-unavailable': '`vmpulse recovery resume` ends this hold once the journal can be written.',
  quarantine: '`vmpulse vm release <vm>` lets it out once somebody has looked at it.',
  'person-act': 'It goes on once that has ended.',
  'person-stop': '`vmpulse vm start <vm>` or `vmpulse vm release <vm>` does that.',
  'external-stop': '`vmpulse vm start <vm>` or `vmpulse vm release <vm>` does that.',
  'run-strategy': '`vmpulse vm start <vm>`, or run strategy Always, changes this.',
  'api-silence': 'If the guest falls silent, too, and that lasts, the VMM is ended and started again.',
  storage: 'Once the disk works again, resume the VM.',
  observer: 'The next conclusive result changes this.',
  unconfirmed: 'If it fails on, it is looked at again.',
  maintenance: '`vmpulse vm maintenance end <vm>` ends this.',
  suspended: 'It goes on once that is over.',
  paused: 'Resuming the VM ends this.',
  grace: 'Health that comes back ends it early.',
  'back-off': 'If health comes back before, nothing more is done.',
  breaker: 'If health comes back before, nothing more is done.',
  'action-held': 'It is asked again then; who removes what holds (the hold file, say) lets it begin.',
  'pre-start': 'The hook is asked again then.',
  'fleet-brake': '`vmpulse recovery resume` ends it at once.',
  'shared-cause': '`vmpulse recovery resume` ends it at once.',
  'action-window': '`vmpulse intent clear --vm <vm>` withdraws what is scheduled.',
  'edit-war': '`vmpulse recovery resume --vm <vm>` lets it go on once it is clear who decides.',
  'host-memory': 'It goes on by itself once there is memory.',
  'io-veto': 'Once nothing has moved in the guest for its veto window, or it panics, the step is taken.',
  'vcpu-progress': 'An answer of the guest ends this; without one the step is taken then.',
  correlation: 'If nothing else fails that shares something with it, it is acted on then.',
  'host-shutdown': 'The next boot of the host starts it again, if it is wanted.',
  'start-order': 'It waits in the queue of this host and goes on by itself.',
  'host-pressure': 'It waits in the queue of this host and goes on by itself.',
  'host-budget': 'It waits in the queue of this host and goes on by itself.',
  'boot-budget': 'It waits in the queue of this host and goes on by itself.',
  'crash-dump': 'If the guest has not booted again by then, it is reset.',
  'self-action': 'If it has not by then, it is answered like any other failure.',
  'wedged-after': 'An answer of either ends this; without one the step is taken then.',
  impossible: 'It is tried again then.',
  'ladder-exhausted': 'A person has to put it right.',
  unresolved: 'It goes on once its driver has told whether it runs.',
  'not-looked': 'It goes on once its driver has told whether it runs.',
};

/** What would make the rule let go of the VM, as a sentence. */
export function endOf(rule: Rule, vm: PolicyVmState): string {
  if (rule === 'run-strategy' && vm.running === true)
    return 'Another run strategy, or a command of a person, changes this.';
  return (ENDS[rule] ?? '').replaceAll('<vm>', vm.id);
}
