import { type ErrorCode, errorMessage, isVmpulseError } from '../model/errors.js';

/** How an error is told over HTTP. */
export interface ApiFailure {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 422 | 429 | 500 | 501 | 503 | 504;
  readonly body: { readonly error: { readonly code: ErrorCode; readonly message: string } };
}

const STATUS: { readonly [C in ErrorCode]?: ApiFailure['status'] } = {
  ERR_VMPULSE_ARGUMENT: 400,
  ERR_VMPULSE_USAGE: 400,
  ERR_VMPULSE_UNCONFIRMED: 400,
  ERR_VMPULSE_UNAUTHORIZED: 401,
  ERR_VMPULSE_FORBIDDEN: 403,
  ERR_VMPULSE_VM_UNKNOWN: 404,
  ERR_VMPULSE_LOCKED: 409,
  ERR_VMPULSE_VM_RUNNING: 409,
  ERR_VMPULSE_VM_NOT_RUNNING: 409,
  ERR_VMPULSE_HOOK: 409,
  ERR_VMPULSE_CONFIG: 422,
  ERR_VMPULSE_LIMIT: 429,
  ERR_VMPULSE_UNSUPPORTED: 501,
  ERR_VMPULSE_CLOSED: 503,
  ERR_VMPULSE_JOURNAL: 503,
  ERR_VMPULSE_TIMEOUT: 504,
};

/** An answer that is thrown, where the code alone does not give the status. */
export class Refusal extends Error {
  readonly failure: ApiFailure;

  constructor(failure: ApiFailure) {
    super(failure.body.error.message);
    this.failure = failure;
  }
}

/** The answer to a request that failed. What has no code is told as internal. */
export function apiFailure(error: unknown): ApiFailure {
  if (error instanceof Refusal) return error.failure;
  const code = isVmpulseError(error) ? error.code : 'ERR_VMPULSE_INTERNAL';
  return failure(STATUS[code] ?? 500, code, errorMessage(error));
}

export function failure(status: ApiFailure['status'], code: ErrorCode, message: string): ApiFailure {
  return { status, body: { error: { code, message } } };
}
