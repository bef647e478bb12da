import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../kernel/users.js';
import type { Deadline } from '../../model/deadline.js';
import { errorMessage } from '../../model/errors.js';
import type { NetworkInterface } from '../../model/hypervisor.js';
import type { VmSpec } from '../../model/vm.js';
import { findSystemdRun } from './launch.js';
import type { ProcessSpec } from './process-spec.js';
import { accessProblems, accountOf, type NeededFile } from './vmm-account.js';

interface Needs {
  /** Files that the VMM opens, by what they are. */
  readonly files: readonly Omit<NeededFile, 'remedy'>[];
  /** Character devices that it opens. */
  readonly devices: readonly string[];
}

/** Whether the VMM can run as somebody else and within limits here; `account`: as whom. */
export async function proveConfinement(
  vm: VmSpec<ProcessSpec>,
  needs: Needs,
  searchPath: string,
  deadline: Deadline,
): Promise<{ readonly problems: readonly string[]; readonly account: Account | undefined }> {
  const { runAs, limits, interfaces } = vm.hypervisor;
  const problems =
    limits === undefined || findSystemdRun(searchPath) !== undefined
      ? []
      : [
          'limits: a VMM is held to them by systemd, which does not run here, or not for this user; remove limits',
        ];
  if (runAs === undefined) return { problems, account: undefined };
  const taps = interfaces.filter((network) => network.type === 'tap');
  const devices = [...needs.devices, ...(taps.length > 0 ? ['/dev/net/tun'] : [])];
  let account: Account;
  try {
    account = await deadline.race(accountOf(runAs, devices));
  } catch (error) {
    return { problems: [...problems, errorMessage(error)], account: undefined };
  }
  const own = process.geteuid?.();
  if (own === account.uid) return { problems, account: undefined };
  const cannot = whyNotBecome(own, searchPath);
  if (cannot !== undefined) return { problems: [...problems, cannot], account: undefined };
  const wanted = [...needs.files.map(withRemedy), ...devices.map(asNeeded)];
  const [refused, foreign] = await Promise.all([
    accessProblems(account, wanted, searchPath, deadline),
    Promise.all(taps.map((tap) => tapProblem(tap, account, deadline))),
  ]);
  return { problems: [...problems, ...refused, ...foreign.flat()], account };
}

function whyNotBecome(own: number | undefined, searchPath: string): string | undefined {
  if (own !== 0)
    return 'runAs: only root can run a VMM as somebody else; run vmpulse as root, or remove runAs';
  const isThere = searchPath.split(':').some((folder) => existsSync(join(folder, 'setpriv')));
  return isThere ? undefined : `runAs: there is no setpriv in ${searchPath}; install util-linux`;
}

function withRemedy(file: Omit<NeededFile, 'remedy'>): NeededFile {
  return { ...file, remedy: 'give it to that user, and let the user through the folders above it' };
}

function asNeeded(path: string): NeededFile {
  const remedy = `give it to a group of its own: chgrp kvm ${path}; chmod 0660 ${path}`;
  return { what: 'device', path, rights: ['r', 'w'], remedy };
}

/** A device that is made before the start is made for the VMM's user. */
async function tapProblem(
  { device, create }: Extract<NetworkInterface, { readonly type: 'tap' }>,
  { uid, gid, groups }: Account,
  deadline: Deadline,
): Promise<readonly string[]> {
  if (create === true) return [];
  const read = (name: string) => readFile(`/sys/class/net/${device}/${name}`, 'latin1').catch(() => '-1');
  const [owner, group] = await deadline.race(Promise.all([read('owner'), read('group')]));
  const isOpen = [-1, uid].includes(Number(owner)) && [-1, gid, ...groups].includes(Number(group));
  if (isOpen) return [];
  return [
    `network: ${device} belongs to user ${owner.trim()} and group ${group.trim()}, and the VMM runs as ${uid}; make it anew for that user (ip tuntap add … user ${uid})`,
  ];
}
