/**
 * Every rule that a decision can name, with its meaning in one line. docs/reference/policy.md explains each;
 * a test ties the two.
 */
export const RULES = {
  health: 'The health of the VM changed.',
  'diagnosis/vmm-dead': 'The VMM process is gone and the run strategy wants it.',
  'diagnosis/guest-hung': 'Panic, watchdog, or every path into the guest is dead while its VMM says running.',
  'diagnosis/network': 'Network probes are unreachable while the agent answers.',
  'diagnosis/service': 'The service fails while the guest itself answers.',
  'diagnosis/vmm-stopped': 'The VMM process is in state T.',
  'diagnosis/vmm-wedged': 'The VMM does not answer its management interface.',
  'diagnosis/storage': 'The VMM reports an I/O error on a disk of the VM.',
  'diagnosis/shared-cause': 'Many VMs that share something fail within one window.',
  'diagnosis/intended': 'The VM was ended by its guest or by somebody outside.',
  ladder: 'The next step of the ladder for the diagnosis is carried out.',
  'host-booted': 'The host began a new boot: what ended with it is start-up, not failure.',
  'start-up': 'Not running when first looked at, and wanted: started outside the failure budget.',
  'action-result': 'An action ended.',
  'action-unknown': 'The end of an action that is not in flight was ignored.',
  'action-overdue': 'An action did not end within its time; nothing else is done to the VM until it does.',
  unresolved: 'A daemon ended with the action in flight; looking decides what became of it.',
  stable: 'Health was back for long enough; the episode is over and the consecutive budget is given back.',
  healed: 'Health is back; it must stay so for a while.',
  unheard: 'A step was carried out, but the guest was not heard since; people are told.',
  relapse: 'The failure came back before health was stable.',
  'new-instance': 'The guest began a new boot; thresholds start over.',
  'boot-loop': 'The guest reboots itself again and again without becoming healthy.',
  'observe-only': 'Recovery is not enabled for the VM; what would be done is recorded.',
  'person-hold': 'A person holds recovery.',
  'journal-unavailable': 'The journal could not be written; recovery holds until a person resumes it.',
  'run-strategy': 'The run strategy does not want automation to bring the VM back.',
  'external-stop': 'Somebody outside stopped the VM; it stays so until started or released.',
  quarantine: 'A recovery budget is used up; only a person lets the VM out.',
  release: 'A person let the VM out of quarantine or withdrew an external stop.',
  'budget-consecutive': 'As many recoveries in a row without a stable VM as allowed.',
  'budget-24h': 'As many recoveries in 24 hours as allowed.',
  grace: 'The guest boots, or a step is given time to work.',
  'back-off': 'Repeated attempts keep a growing distance.',
  breaker: 'Too many recoveries failed; one trial after a pause.',
  'action-held': 'Something outside the policy held the action.',
  'fleet-brake': 'Too large a part of the fleet fails at once; recovery of all holds.',
  'shared-cause': 'One incident: what shares its cause is left alone, and people are told.',
  'io-veto':
    'Disk or network of the guest moved within the veto window: it is not taken away on inferred evidence.',
  correlation:
    'Before a guest is booted on inferred evidence, it is seen whether others fail of the same cause.',
  'host-shutdown': 'The host shuts down; nothing is started any more.',
  'host-pressure': 'The host is under pressure; recoveries come one by one, boots apart from each other.',
  'start-order': 'All VMs are looked at before the first start-up, so that the order of priority holds.',
  'host-budget': 'As many recoveries at once on this host as allowed.',
  'boot-budget': 'As many boots in a minute on this host as allowed.',
  maintenance: 'A person works on the VM: nothing is done to it.',
  suspended: 'Being moved or saved by a person or a tool; people are told when that lasts.',
  intents: 'A person withdrew what persons wanted; automation goes on.',
  paused: 'The VM is paused by a person or a tool; probes are suspended.',
  'crash-dump': 'The crash kernel of the guest is saving the dump.',
  'self-action': 'The VMM announced that it acts by itself; it is given time.',
  observer: 'A fresh look was inconclusive; nothing is concluded from it.',
  unconfirmed: 'A fresh look found the failed probes fine; nothing is done.',
  'wedged-after': 'API silent and guest dead, but not yet for long enough.',
  'api-silence': 'API silence alone never ends a VMM.',
  storage: 'A storage failure is never answered by a reset.',
  impossible: 'The step cannot be carried out now; tried again later.',
  'ladder-exhausted': 'No supported step is left for this diagnosis.',
  ignored: 'An event about something the policy does not know was ignored.',
  'not-looked': 'Nobody has looked yet whether the VM runs.',
} as const;

/** The kinds of diagnosis that are concluded today. */
export const CONCLUDED = [
  'vmm-dead',
  'guest-hung',
  'network',
  'service',
  'vmm-stopped',
  'vmm-wedged',
  'storage',
  'intended',
] as const;

export type ConcludedKind = (typeof CONCLUDED)[number];

export type Rule = keyof typeof RULES;
