import type { Reason } from '../../model/reasons.js';

/** Why a response does not do: a reason and one bounded, escaped line for people. */
export interface Fault {
  readonly reason: Reason;
  readonly message: string;
}

export function fault(reason: Reason, message: string): Fault {
  return { reason, message };
}

export function protocolError(message: string): Fault {
  return fault('protocol-error', message);
}
