import type { MaintenanceTask } from '../../model/maintenance.js';

type Family = 'debian' | 'redhat' | 'suse' | 'alpine';
export type GuestTask = Exclude<MaintenanceTask, 'restart'>;

export interface GuestTaskCommand {
  readonly argv: readonly string[];
  /** Exit statuses that are a success beside 0. */
  readonly alsoFine?: readonly number[];
}

/** os-release's ID → whose tools the guest has. */
const FAMILIES: ReadonlyMap<string, Family> = new Map([
  ['debian', 'debian'],
  ['ubuntu', 'debian'],
  ['linuxmint', 'debian'],
  ['raspbian', 'debian'],
  ['fedora', 'redhat'],
  ['rhel', 'redhat'],
  ['centos', 'redhat'],
  ['rocky', 'redhat'],
  ['almalinux', 'redhat'],
  ['ol', 'redhat'],
  ['amzn', 'redhat'],
  ['opensuse-leap', 'suse'],
  ['opensuse-tumbleweed', 'suse'],
  ['sles', 'suse'],
  ['alpine', 'alpine'],
]);

const VACUUM: GuestTaskCommand = { argv: ['journalctl', '--vacuum-size=200M'] };
const TMPFILES: GuestTaskCommand = { argv: ['systemd-tmpfiles', '--clean'] };

/** Every command there is. Each is the system's own tool for just this, and none takes anything from the guest. */
const COMMANDS: Readonly<Record<GuestTask, Partial<Record<Family, GuestTaskCommand>>>> = {
  'journal-vacuum': { debian: VACUUM, redhat: VACUUM, suse: VACUUM },
  'tmpfiles-clean': { debian: TMPFILES, redhat: TMPFILES, suse: TMPFILES },
  'package-cache-clean': {
    debian: { argv: ['apt-get', 'clean'] },
    redhat: { argv: ['dnf', 'clean', 'packages'] },
    suse: { argv: ['zypper', '--non-interactive', 'clean'] },
    alpine: { argv: ['apk', 'cache', 'clean'] },
  },
  updates: {
    debian: { argv: ['unattended-upgrade'] },
    redhat: { argv: ['dnf', '--assumeyes', 'upgrade', '--security'] },
    // 102: a reboot is needed for it to count; 103: zypper itself was updated, the rest comes next time.
    suse: {
      argv: ['zypper', '--non-interactive', 'patch', '--category', 'security'],
      alsoFine: [102, 103],
    },
  },
};

/** What the task runs in a guest that calls its system `osId`, or why it runs nothing there. */
export function commandFor(
  task: GuestTask,
  osId: string | undefined,
): GuestTaskCommand | { readonly skip: string } {
  if (osId === undefined) return { skip: 'the guest does not say what its system is' };
  const family = FAMILIES.get(osId);
  if (family === undefined) return { skip: `no command for ${task} is known for the system ${osId}` };
  return COMMANDS[task][family] ?? { skip: `${osId} has no tool for ${task}` };
}
