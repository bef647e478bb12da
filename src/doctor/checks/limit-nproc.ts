import { hasCapability } from '../capabilities.js';
import type { CheckContext, DoctorCheck } from '../check.js';
import { error, type Finding, info, of, ok, warning } from '../finding.js';
import { limitOf, limitText } from '../limits.js';
import { numberOf } from '../units.js';

export const limitNproc: DoctorCheck = {
  id: 'limit-nproc',
  looksAt: 'How many threads a user and the host may have, against the vCPUs of all VMs.',
  why: 'Each vCPU is a thread; a VMM that gets none ends at its start or later.',
  look: async (context) => [await ofUser(context), await ofHost(context)],
};

async function ofUser({ host, demand: { threads } }: CheckContext): Promise<Finding> {
  const limit = await limitOf(host, 'Max processes');
  if (limit === undefined) return of('user', info('/proc/self/limits does not say'));
  const seen = `${limitText(limit.hard)} are allowed, up to ${threads} are needed`;
  // The kernel does not hold root to it.
  const isBound = host.user.uid !== 0 && (await hasCapability(host, 'CAP_SYS_RESOURCE')) !== true;
  const isShort = isBound && limit.hard < threads;
  return of('user', isShort ? error(seen, 'in the unit of the daemon: LimitNPROC=infinity') : ok(seen));
}

async function ofHost({ host, demand: { threads } }: CheckContext): Promise<Finding> {
  const [max, pidMax] = await Promise.all([
    host.read('/proc/sys/kernel/threads-max'),
    host.read('/proc/sys/kernel/pid_max'),
  ]);
  const limits = [numberOf(max), numberOf(pidMax)].filter((one) => one !== undefined);
  if (limits.length === 0) return of('host', info('/proc/sys/kernel does not say'));
  const limit = Math.min(...limits);
  const seen = `${limit} on this host, up to ${threads} are needed for VMs`;
  const fix = 'sysctl -w kernel.pid_max=4194304 kernel.threads-max=4194304';
  return of('host', threads > limit / 2 ? warning(seen, fix) : ok(seen));
}
