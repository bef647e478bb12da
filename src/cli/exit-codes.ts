import { CommanderError } from 'commander';
import { type ErrorCode, isVmpulseError } from '../model/errors.js';

/** Exit statuses with their meaning; docs/reference/cli.md has the same table. */
export const EXIT = {
  ok: 0,
  /** The command, or the probe, failed. */
  failed: 1,
  /** `vmpulse probe`: it could not be told. */
  inconclusive: 2,
  /** More VMs would be changed than may be meant: nothing was done. */
  unconfirmed: 3,
  /** The command line does not fit. */
  usage: 64,
  /** What is stored was written by a newer vmpulse. */
  newer: 65,
  /** No daemon answers. */
  unreachable: 69,
  /** An error of vmpulse itself. */
  internal: 70,
  /** Somebody else has what is needed: lock, socket, port. */
  busy: 75,
  /** The daemon does not allow it. */
  denied: 77,
  /** The configuration is not valid. */
  config: 78,
} as const;

/** The same in words, for the manual page. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'Done. vmpulse probe: ok.',
  failed: 'The command failed. vmpulse probe: the target failed. vmpulse doctor: an error was found.',
  inconclusive: 'vmpulse probe: it could not be told.',
  unconfirmed: 'Nothing was done: more VMs would be changed than may be meant, and --yes is missing.',
  usage: 'The command line does not fit.',
  newer: 'What is stored was written by a newer vmpulse.',
  unreachable: 'No daemon answers.',
  internal: 'An error of vmpulse itself; please report it.',
  busy: 'Somebody else has the state directory, socket or port.',
  denied: 'The daemon does not know who asks, or does not allow it.',
  config: 'The configuration is not valid.',
};

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: { readonly [C in ErrorCode]?: ExitCode } = {
  ERR_VMPULSE_USAGE: EXIT.usage,
  ERR_VMPULSE_UNCONFIRMED: EXIT.unconfirmed,
  ERR_VMPULSE_JOURNAL_VERSION: EXIT.newer,
  ERR_VMPULSE_DAEMON_UNREACHABLE: EXIT.unreachable,
  ERR_VMPULSE_INTERNAL: EXIT.internal,
  ERR_VMPULSE_LOCKED: EXIT.busy,
  ERR_VMPULSE_ADDRESS_IN_USE: EXIT.busy,
  ERR_VMPULSE_FORBIDDEN: EXIT.denied,
  ERR_VMPULSE_UNAUTHORIZED: EXIT.denied,
  ERR_VMPULSE_CONFIG: EXIT.config,
};

/** The status with which a command ends that threw this. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return isVmpulseError(error) ? (BY_CODE[error.code] ?? EXIT.failed) : EXIT.internal;
}
