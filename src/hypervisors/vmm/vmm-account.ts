import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Account, resolveAccount } from '../../kernel/users.js';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage } from '../../model/errors.js';
import { given } from '../../model/given.js';
import type { RunAs } from '../../model/hypervisor.js';

const CHECK_MS = 5_000;
const GROUP_READ_WRITE = 0o060;

/** A file that the VMM uses itself. */
export interface NeededFile {
  /** For a person: `disk root`. */
  readonly what: string;
  readonly path: string;
  /** As test(1) knows them. */
  readonly rights: readonly ('r' | 'w' | 'x')[];
  /** What gives the right. */
  readonly remedy: string;
}

/** The account of a VMM: with the groups that the devices are given to, which are there for VMMs. */
export async function accountOf(runAs: RunAs, devices: readonly string[]): Promise<Account> {
  const account = await resolveAccount(runAs);
  const groups = new Set(account.groups);
  for (const device of devices) {
    const stats = await stat(device).catch(() => undefined);
    const isForGroup = stats !== undefined && (stats.mode & GROUP_READ_WRITE) === GROUP_READ_WRITE;
    if (isForGroup && stats.gid !== 0 && stats.gid !== account.gid) groups.add(stats.gid);
  }
  return { ...account, groups: [...groups] };
}

/** What makes a command run as the account: a program and arguments that go before it. It can never get more rights. */
export function asAccount({ uid, gid, groups }: Account): string[] {
  const further = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, further, '--inh-caps=-all', '--no-new-privs'];
}

/** Prints the numbers of the files, from 0, of which a right is missing. */
const ASK = `i=0; for each; do path=\${each#*:}; rights=\${each%%:*}
while [ -n "$rights" ]; do right=\${rights%"\${rights#?}"}; rights=\${rights#?}
[ "-$right" "$path" ] || { echo $i; break; }; done; i=$((i + 1)); done`;

/** Which of the files the account cannot use: asked as that account, as only the kernel knows of all that decides it. */
export async function accessProblems(
  account: Account,
  files: readonly NeededFile[],
  searchPath: string,
  deadline: Deadline,
): Promise<readonly string[]> {
  const [program = '', ...args] = asAccount(account);
  const asked = files.map(({ path, rights }) => `${rights.join('')}:${path}`);
  const { deadlineMs, signal } = deadline.step(CHECK_MS);
  try {
    const { stdout } = await promisify(execFile)(program, [...args, 'sh', '-c', ASK, 'sh', ...asked], {
      timeout: deadlineMs,
      env: { PATH: searchPath },
      cwd: '/',
      ...given({ signal }),
    });
    const missing = new Set(stdout.trim().split('\n'));
    return files
      .filter((_, i) => missing.has(String(i)))
      .map(
        ({ what, path, rights, remedy }) =>
          `${what}: user ${account.uid} may not ${inWords(rights)} ${path}; ${remedy}`,
      );
  } catch (error) {
    deadline.check();
    return [`runAs: it cannot be asked what user ${account.uid} may do: ${errorMessage(error)}`];
  }
}

const WORDS = { r: 'read', w: 'write', x: 'run' } as const;

function inWords(rights: NeededFile['rights']): string {
  return rights.map((right) => WORDS[right]).join(' and ');
}
