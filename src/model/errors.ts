/**
 * Every error code of vmpulse with what it means and the usual remedy. The reference page
 * docs/reference/errors.md is tied to this table by a test.
 */
export const ERROR_CODES = {
  ERR_VMPULSE_ARGUMENT: 'A function was given an argument it cannot take.',
  ERR_VMPULSE_USAGE: 'A command line that does not fit; see --help.',
  ERR_VMPULSE_UNCONFIRMED: 'More would be changed than a person may have meant; nothing was done.',
  ERR_VMPULSE_CLOSED: 'The object was closed before the call.',
  ERR_VMPULSE_ABORTED: 'The caller withdrew the request through its AbortSignal.',
  ERR_VMPULSE_TIMEOUT: 'Something outside did not answer before its deadline.',
  ERR_VMPULSE_NATIVE: 'A native addon could not be loaded; the message lists every path tried.',
  ERR_VMPULSE_SYSCALL: 'A system call failed; `errno` and `syscall` say which and how.',
  ERR_VMPULSE_CONFIG: 'A configuration document is not valid; the message gives file, line, path and remedy.',
  ERR_VMPULSE_CHANNEL:
    'A monitor or agent socket failed, is held by another client, or does not speak its protocol.',
  ERR_VMPULSE_COMMAND: 'The hypervisor or the guest agent answered a command with an error.',
  ERR_VMPULSE_VM_UNKNOWN: 'No VM of that name is watched.',
  ERR_VMPULSE_VM_RUNNING: 'The VM already runs; it is not started twice.',
  ERR_VMPULSE_VM_NOT_RUNNING: 'The VM does not run.',
  ERR_VMPULSE_DISK_IN_USE: 'Another process holds a writable disk of the VM open.',
  ERR_VMPULSE_START_IMPOSSIBLE: 'A start would fail: a disk, helper, accelerator or memory is missing.',
  ERR_VMPULSE_STORAGE: 'A disk, image or seed of a VM could not be made or is not what it should be.',
  ERR_VMPULSE_HOOK:
    'A pre-start hook did not let the VM be started; the message has which one and what it said.',
  ERR_VMPULSE_NO_SPACE: 'A disk of the VM lies where no space is left.',
  ERR_VMPULSE_START_FAILED: 'The VMM was started but did not come up; its log has the cause.',
  ERR_VMPULSE_PROCESS_STUCK:
    'The VMM process does not die: it hangs in the kernel (state D); nothing is started before it is gone.',
  ERR_VMPULSE_NETWORK:
    'A bridge, device or rule of the host could not be made; the message has what the kernel or nft said.',
  ERR_VMPULSE_IDENTITY: 'A process is not the one it was expected to be (PID reuse, another VM).',
  ERR_VMPULSE_LOCKED: 'Another process holds the lock; two daemons cannot share one state directory.',
  ERR_VMPULSE_JOURNAL: 'The journal cannot be read or written; recovery holds until it can.',
  ERR_VMPULSE_JOURNAL_VERSION: 'The journal was written by a newer vmpulse; this one will not touch it.',
  ERR_VMPULSE_UNSUPPORTED: 'This host, driver or engine cannot do that; the message says why.',
  ERR_VMPULSE_UNAUTHORIZED: 'It is not known who asks: there is no token, or a wrong one.',
  ERR_VMPULSE_FORBIDDEN: 'Who asks may not do that.',
  ERR_VMPULSE_LIMIT: 'Too much at once; try again later.',
  ERR_VMPULSE_UNTRUSTED: 'Somebody else may write, or wrote, a file or folder that must be ours alone.',
  ERR_VMPULSE_DAEMON_UNREACHABLE: 'The daemon does not answer on its socket.',
  ERR_VMPULSE_ADDRESS_IN_USE: 'A socket or port is already taken.',
  ERR_VMPULSE_INTERNAL: 'An invariant of vmpulse itself does not hold; please report it.',
} as const;

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Extra facts of an error, plain JSON. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** The one error class of vmpulse: a stable `code`, a message that names the place and the remedy. */
export class VmpulseError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'VmpulseError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Whether a text from outside is a code of ours. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

/** Narrows an unknown caught value, optionally to one code. */
export function isVmpulseError(error: unknown, code?: ErrorCode): error is VmpulseError {
  return error instanceof VmpulseError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code that Node or the kernel gave with what was thrown, for example `ENOENT`; empty: none. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What was thrown says that there is no such file. */
export function isMissingFile(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT';
}
