import type { ApiConfig } from '../../config/index.js';
import type { Lookup } from '../../kernel/users.js';
import { SCOPES, type Scope } from '../../model/scope.js';
import { widest } from './caller.js';

/** Which users and groups have which scopes, by number. */
export interface Grants {
  readonly users: ReadonlyMap<number, Scope>;
  readonly groups: ReadonlyMap<number, Scope>;
  /** What the configuration names and the host does not know. */
  readonly unknown: readonly string[];
}

/** Finds the numbers of the users and groups that the configuration names. */
export async function resolveGrants({ access }: ApiConfig, lookUp: Lookup): Promise<Grants> {
  const users = new Map<number, Scope>();
  const groups = new Map<number, Scope>();
  const unknown: string[] = [];
  // The widest comes last, so that it stays.
  for (const scope of SCOPES) {
    for (const principal of access[scope]) {
      const isGroup = principal.startsWith('@');
      const id = await idOf(isGroup ? 'group' : 'passwd', principal.replace(/^@/, ''), lookUp);
      if (id === undefined) unknown.push(principal);
      else (isGroup ? groups : users).set(id, scope);
    }
  }
  return { users, groups, unknown };
}

/** The number of a user or group that is given by name or number. */
export async function idOf(
  database: 'passwd' | 'group',
  text: string,
  lookUp: Lookup,
): Promise<number | undefined> {
  return /^\d{1,10}$/.test(text) ? Number(text) : (await lookUp(database, text))?.id;
}

/** The widest scope that names a user or one of its groups; undefined: none names it. */
export function grantedTo(
  { users, groups }: Grants,
  uid: number,
  gids: readonly number[],
): Scope | undefined {
  return widest(
    [users.get(uid), ...gids.map((gid) => groups.get(gid))].filter((scope) => scope !== undefined),
  );
}
