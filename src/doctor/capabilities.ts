import type { DoctorHost } from './host.js';

/** Numbers of linux/capability.h. */
const BITS = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_RESOURCE: 24 } as const;

/** Whether this process has a capability; undefined: the kernel does not say. */
export async function hasCapability(host: DoctorHost, name: keyof typeof BITS): Promise<boolean | undefined> {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec((await host.read('/proc/self/status')) ?? '')?.[1];
  if (mask === undefined) return undefined;
  return ((BigInt(`0x${mask}`) >> BigInt(BITS[name])) & 1n) === 1n;
}
