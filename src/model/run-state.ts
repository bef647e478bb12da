/** Why a guest stands still: a person or a tool had it so, or something went wrong. */
type Standing = 'on-purpose' | 'failed';

/**
 * Run states in which a guest executes nothing until somebody does something about it, as QEMU names them: all of
 * `RunState` of its QAPI but `running`. The other drivers say theirs in the same words. Whatever else is said runs, for all that
 * is known.
 */
const STANDS_STILL: Readonly<Record<string, readonly [Standing, meaning: string]>> = {
  paused: ['on-purpose', 'paused by a person or a tool'],
  debug: ['on-purpose', 'stopped in a debugger'],
  inmigrate: ['on-purpose', 'waiting for the guest to come from another host'],
  'finish-migrate': ['on-purpose', 'being moved to another host'],
  postmigrate: ['on-purpose', 'moved to another host'],
  colo: ['on-purpose', 'kept in step with another host'],
  'save-vm': ['on-purpose', 'being saved'],
  'restore-vm': ['on-purpose', 'being restored from a snapshot'],
  prelaunch: ['on-purpose', 'not let run yet'],
  shutdown: ['on-purpose', 'shut down, its VMM stays'],
  suspended: ['on-purpose', 'suspended by its guest'],
  'guest-panicked': ['failed', 'its kernel panicked'],
  watchdog: ['failed', 'its watchdog expired'],
  'io-error': ['failed', 'a disk gave an error'],
  'internal-error': ['failed', 'its VMM met an error that it cannot go on after'],
};

/** What a guest stands still for; undefined: it runs, for all that is known. */
export function whyStanding(status: string): string | undefined {
  return entryOf(status)?.[1];
}

/** Somebody has stopped it on purpose. */
export function isStoppedOnPurpose(status: string): boolean {
  return entryOf(status)?.[0] === 'on-purpose';
}

function entryOf(status: string): readonly [Standing, string] | undefined {
  return Object.hasOwn(STANDS_STILL, status) ? STANDS_STILL[status] : undefined;
}
