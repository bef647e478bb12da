import type { IncomingMessage } from 'node:http';
import { VmpulseError } from '../../model/errors.js';
import { SCOPES, type Scope } from '../../model/scope.js';

/** Who asks. */
export interface Caller {
  /** As the journal records it: `ann@1000`; null: nobody can say. */
  readonly identity: string | null;
  /** Null: nothing. */
  readonly scope: Scope | null;
}

/** Says who sent a request. Rejects with ERR_VMPULSE_UNAUTHORIZED. */
export type Identify = (request: IncomingMessage) => Promise<Caller>;

/** The widest of these; undefined: none. */
export function widest(scopes: readonly Scope[]): Scope | undefined {
  return SCOPES.findLast((scope) => scopes.includes(scope));
}

export function may({ scope }: Caller, needed: Scope): boolean {
  return scope !== null && SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
}

/** Throws ERR_VMPULSE_FORBIDDEN for a caller that may not do that. */
export function demand(caller: Caller, needed: Scope, what: string): void {
  if (may(caller, needed)) return;
  const { identity, scope } = caller;
  const who = identity ?? 'who asks';
  throw new VmpulseError(
    'ERR_VMPULSE_FORBIDDEN',
    `${what} needs the scope ${needed}, and ${who} has ${scope ?? 'none'}; api.access of the daemon's configuration gives scopes`,
  );
}

/** The author of a command: who it is, and who they say they are where that differs. */
export function authorOf({ identity }: Caller, said: string | undefined): string {
  if (identity === null) return said === undefined ? 'unknown' : `${said} (as told)`;
  return said === undefined || said === identity ? identity : `${identity} (says ${said})`;
}
