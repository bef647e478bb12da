import { readFile } from 'node:fs/promises';
import { VmpulseError } from '../model/errors.js';
import type { RunAs } from '../model/hypervisor.js';

/** A user of this host. */
export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Whom a process runs as, in the kernel's numbers. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Further groups. */
  readonly groups: readonly number[];
}

/** A user of /etc/passwd, by name or number. Other sources of users (LDAP, systemd) are not asked. */
export async function findUser(nameOrUid: string): Promise<HostUser | undefined> {
  for (const [name = '', , uid = '', gid = ''] of await readEntries('/etc/passwd')) {
    if (name === '' || (name !== nameOrUid && uid !== nameOrUid)) continue;
    if (isNumber(uid) && isNumber(gid)) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * The account of a VMM, with the groups that /etc/group gives its user. A number need not be in the files; a user of whom
 * nothing is known needs a group. Throws ERR_VMPULSE_ARGUMENT.
 */
export async function resolveAccount({ user, group }: RunAs): Promise<Account> {
  const [known, groups] = await Promise.all([findUser(user), readEntries('/etc/group')]);
  if (known === undefined && !isNumber(user))
    throw unknown(`there is no user ${user} in /etc/passwd; useradd --system --no-create-home ${user}`);
  const entry = groups.find(([name, , gid]) => name === group || gid === group);
  if (group !== undefined && entry === undefined && !isNumber(group))
    throw unknown(`there is no group ${group} in /etc/group; groupadd --system ${group}`);
  const gid = group === undefined ? known?.gid : Number(entry?.[2] ?? group);
  if (gid === undefined) throw unknown(`user ${user} is not in /etc/passwd; name its group, too`);
  return {
    uid: known?.uid ?? Number(user),
    gid,
    groups: known === undefined ? [] : membership(known, gid, groups),
  };
}

/** GIDs of the groups, but for one, that list the user. */
function membership({ name }: HostUser, but: number, groups: readonly string[][]): number[] {
  return groups
    .filter(([, , gid = '', members = '']) => isNumber(gid) && members.split(',').includes(name))
    .map(([, , gid]) => Number(gid))
    .filter((gid) => gid !== but);
}

async function readEntries(path: string): Promise<string[][]> {
  const text = await readFile(path, 'utf8');
  return text.split('\n').map((line) => line.split(':'));
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function unknown(text: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ARGUMENT', `runAs: ${text}`);
}
