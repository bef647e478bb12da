import type { CheckContext, DoctorCheck } from '../check.js';
import { type Finding, info, ok, warning } from '../finding.js';

/** Who keeps the clock, as /proc names them. */
const DAEMONS = ['systemd-timesyncd', 'chronyd', 'ntpd', 'openntpd', 'ptp4l', 'phc2sys', 'systemd-timesyn'];

export const timeSync: DoctorCheck = {
  id: 'time-sync',
  looksAt: 'Whether the clock is kept by NTP: `timedatectl`, else the processes that do so.',
  why: 'Budgets, windows of maintenance and certificates go by the clock, and a journal is read beside those of other hosts.',
  look: async (context) => [(await byTimedatectl(context)) ?? (await byProcess(context))],
};

const FIX = 'apt-get install chrony (or: timedatectl set-ntp true)';

async function byTimedatectl({ host, call }: CheckContext): Promise<Finding | undefined> {
  const path = await host.findProgram('timedatectl');
  if (path === undefined) return undefined;
  const run = await host.run([path, 'show', '--property=NTPSynchronized', '--value'], call);
  if (!run.ended || run.code !== 0) return undefined;
  return run.stdout.trim() === 'yes'
    ? ok('timedatectl says: synchronized')
    : warning('timedatectl says: not synchronized', FIX);
}

async function byProcess({ host }: CheckContext): Promise<Finding> {
  const pids = (await host.list('/proc')).filter((name) => /^\d+$/.test(name));
  const names = await Promise.all(pids.map((pid) => host.read(`/proc/${pid}/comm`)));
  const running = DAEMONS.find((daemon) => names.some((name) => name?.trim() === daemon));
  if (running !== undefined) return ok(`${running} runs`);
  return info('nothing on this host keeps its clock (a guest may have that of its host)', FIX);
}
