import { execFile } from 'node:child_process';
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

/** A user or group as the host knows it. */
export interface DatabaseEntry {
  readonly name: string;
  readonly id: number;
}

type Database = 'passwd' | 'group';

/** One user or group by name or number, from wherever the host has them; undefined: none. */
export type Lookup = (database: Database, key: string) => Promise<DatabaseEntry | undefined>;

/** A directory service that does not answer is not waited for, ms. */
const LOOKUP_MS = 2_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Undefined also for one that a directory service has and does not tell in 2 s. */
export const lookUp: Lookup = async (database, key) => {
  const found = await entryOf(database, key);
  return found && { name: found.name, id: found.id };
};

/** A user by name or number, as lookUp() finds it. */
export async function findUser(nameOrUid: string): Promise<HostUser | undefined> {
  const found = await entryOf('passwd', nameOrUid);
  const gid = found?.fields[3] ?? '';
  return found !== undefined && isNumber(gid)
    ? { name: found.name, uid: found.id, gid: Number(gid) }
    : undefined;
}

/**
 * The account of a VMM, with the groups of its user. A number need not be known to the host; a user of whom nothing is
 * known needs a group. Throws ERR_VMPULSE_ARGUMENT.
 */
export async function resolveAccount({ user, group }: RunAs): Promise<Account> {
  const known = await findUser(user);
  if (known === undefined && !isNumber(user))
    throw unknown(`there is no user ${user} on this host; useradd --system --no-create-home ${user}`);
  const gid = group === undefined ? known?.gid : await gidOf(group);
  if (gid === undefined) throw unknown(`user ${user} is not known to this host; name its group, too`);
  const groups = known === undefined ? [] : await groupsOf(known.name);
  return { uid: known?.uid ?? Number(user), gid, groups: groups.filter((each) => each !== gid) };
}

async function gidOf(group: string): Promise<number> {
  const gid = (await lookUp('group', group))?.id ?? (isNumber(group) ? Number(group) : undefined);
  if (gid !== undefined) return gid;
  throw unknown(`there is no group ${group} on this host; groupadd --system ${group}`);
}

/** GIDs of the groups that list the user; those of /etc/group alone where nothing else can be asked. */
async function groupsOf(name: string): Promise<readonly number[]> {
  const told = await ask('initgroups', name);
  const gids = told?.trim().split(/\s+/).slice(1) ?? (await groupsInFile(name));
  return [...new Set(gids.filter(isNumber).map(Number))];
}

async function groupsInFile(name: string): Promise<readonly string[]> {
  return (await readEntries('group'))
    .filter(([, , , members = '']) => members.split(',').includes(name))
    .map(([, , gid = '']) => gid);
}

interface Found extends DatabaseEntry {
  readonly fields: readonly string[];
}

/** The host's own file first: it costs no process, and is what a host without a directory service has. */
async function entryOf(database: Database, key: string): Promise<Found | undefined> {
  const inFile = (await readEntries(database)).find(([name, , id]) => name === key || id === key);
  const fields = inFile ?? (await ask(database, key))?.split('\n')[0]?.split(':') ?? [];
  const [name = '', , id = ''] = fields;
  return name !== '' && isNumber(id) ? { name, id: Number(id), fields } : undefined;
}

async function readEntries(database: Database): Promise<readonly string[][]> {
  const text = await readFile(`/etc/${database}`, 'utf8');
  return text.split('\n').map((line) => line.split(':'));
}

/** What `getent` says: files, LDAP, sssd. Undefined where there is none, and where that is missing or too slow. */
function ask(database: Database | 'initgroups', key: string): Promise<string | undefined> {
  const options = { timeout: LOOKUP_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES } as const;
  return new Promise((resolve) => {
    execFile('getent', ['--', database, key], options, (error, stdout) =>
      resolve(error === null && stdout !== '' ? stdout : undefined),
    );
  });
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

function unknown(text: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ARGUMENT', `runAs: ${text}`);
}
