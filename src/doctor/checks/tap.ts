import { hasCapability } from '../capabilities.js';
import type { CheckContext, DoctorCheck } from '../check.js';
import { error, type Finding, info, of, ok, warning } from '../finding.js';

export const tap: DoctorCheck = {
  id: 'tap',
  looksAt: 'The right to make TAP devices (CAP_NET_ADMIN), and those that VMs name: there, up, on a bridge.',
  why: 'A VM whose TAP is missing cannot be started; one whose TAP is down or on no bridge is not reached.',
  look: async (context) => [
    await ability(context),
    ...(await Promise.all(context.demand.taps.map((one) => device(context, one.device, one.vm)))),
  ],
};

async function ability({ host, demand: { taps } }: CheckContext): Promise<Finding> {
  if (await hasCapability(host, 'CAP_NET_ADMIN')) return ok('this user may make TAP devices');
  const seen = 'this user may not make TAP devices (no CAP_NET_ADMIN)';
  const fix = 'run vmpulse as root, or: AmbientCapabilities=CAP_NET_ADMIN in its unit';
  return taps.length > 0 ? warning(seen, fix) : info(seen, fix);
}

async function device({ host }: CheckContext, name: string, vm: string): Promise<Finding> {
  const folder = `/sys/class/net/${name}`;
  const [flags, tunFlags, bridge] = await Promise.all([
    host.read(`${folder}/flags`),
    host.read(`${folder}/tun_flags`),
    host.stat(`${folder}/brport`),
  ]);
  if (flags === undefined)
    return of(name, error(`there is no such device; ${vm} has it`, `ip tuntap add dev ${name} mode tap`));
  if (tunFlags === undefined)
    return of(name, error(`is no TAP device; ${vm} has it`, `ip link show ${name}`));
  if ((Number.parseInt(flags, 16) & 1) === 0)
    return of(name, warning(`is down; ${vm} has it`, `ip link set ${name} up`));
  if (bridge === undefined)
    return of(
      name,
      info(`is up, on no bridge; ${vm} has it`, `if it should be: ip link set ${name} master BRIDGE`),
    );
  return of(name, ok(`is up, on a bridge; ${vm} has it`));
}
