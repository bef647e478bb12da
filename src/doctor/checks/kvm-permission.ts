import type { DoctorCheck } from '../check.js';
import { error, type Finding, info, ok, warning } from '../finding.js';
import type { DoctorHost, HostFile } from '../host.js';

const WORLD = 0o006;
const GROUP = 0o060;
const OWNER = 0o600;

export const kvmPermission: DoctorCheck = {
  id: 'kvm-permission',
  looksAt: 'Owner, group and mode of `/dev/kvm`.',
  why: 'VMMs need it; whoever may open it can load the host, so it is for a group and not for everybody.',
  look: async ({ host }) => {
    const device = await host.stat('/dev/kvm');
    if (device === undefined) return [info('there is no /dev/kvm')];
    const groups = (await host.read('/etc/group')) ?? '';
    const group = nameOf(device.gid, groups);
    const text = `/dev/kvm has mode ${device.mode.toString(8).padStart(4, '0')}, group ${group}`;
    const findings: Finding[] = [];
    if ((device.mode & WORLD) !== 0)
      findings.push(warning(`${text}: everybody may open it`, `chgrp kvm /dev/kvm && chmod 0660 /dev/kvm`));
    if (!mayOpen(device, host))
      findings.push(error(`${text}: this user may not open it`, grant(device, groups)));
    return findings.length > 0 ? findings : [ok(`${text}: this user may open it`)];
  },
};

function mayOpen({ mode, uid, gid }: HostFile, { user }: DoctorHost): boolean {
  if (user.uid === 0) return true;
  if (user.uid === uid) return (mode & OWNER) === OWNER;
  if (user.gids.includes(gid)) return (mode & GROUP) === GROUP;
  return (mode & WORLD) === WORLD;
}

/** By the group, never for everybody. */
function grant({ mode, gid }: HostFile, groups: string): string {
  const name = nameOf(gid, groups);
  if (gid !== 0 && (mode & GROUP) === GROUP) return `usermod -aG ${name} "$USER", and log in again`;
  const make = /^kvm:/m.test(groups) ? '' : 'groupadd --system kvm && ';
  return `${make}chgrp kvm /dev/kvm && chmod 0660 /dev/kvm && usermod -aG kvm "$USER", and log in again`;
}

function nameOf(gid: number, groups: string): string {
  return new RegExp(`^([^:\\n]+):[^:\\n]*:${gid}:`, 'm').exec(groups)?.[1] ?? String(gid);
}
