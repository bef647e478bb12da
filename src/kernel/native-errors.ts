import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';

const nativeErrorSchema = z.object({
  code: z.enum(['ERR_VMPULSE_ARGUMENT', 'ERR_VMPULSE_CLOSED', 'ERR_VMPULSE_SYSCALL']),
  message: z.string(),
  errno: z.string().optional(),
  syscall: z.string().optional(),
});

/** What a person can do about an errno of this call, for example `{ EACCES: 'run it as root' }`. */
export type Remedies = Readonly<Record<string, string>>;

/** Runs a call into the addon; its errors become VmpulseError, with `errno` and `syscall` in the details. */
export function callNative<T>(call: () => T, remedies: Remedies = {}): T {
  try {
    return call();
  } catch (error) {
    throw toVmpulseError(error, remedies);
  }
}

/** Checks what the addon returned; anything unexpected is a defect of vmpulse itself. */
export function checkedResult<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new VmpulseError(
    'ERR_VMPULSE_INTERNAL',
    `the kernel addon returned: ${z.prettifyError(result.error)}`,
    {
      cause: result.error,
    },
  );
}

/** Whether an error is a system call that failed with this errno. */
export function isSyscallError(error: unknown, errno: string): error is VmpulseError {
  return (
    error instanceof VmpulseError && error.code === 'ERR_VMPULSE_SYSCALL' && error.details.errno === errno
  );
}

function toVmpulseError(error: unknown, remedies: Remedies): unknown {
  const known = nativeErrorSchema.safeParse(error);
  if (!known.success) return error;
  const { code, message, errno, syscall } = known.data;
  const remedy = errno === undefined ? undefined : remedies[errno];
  return new VmpulseError(code, remedy === undefined ? message : `${message}; ${remedy}`, {
    cause: error,
    details: { ...(errno === undefined ? {} : { errno }), ...(syscall === undefined ? {} : { syscall }) },
  });
}
