import { isIPv4, isIPv6 } from 'node:net';

/** Whether it is an IP address, or undefined where it is none. */
export function familyOf(address: string): 4 | 6 | undefined {
  return isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : undefined;
}

/** Address and prefix of `10.77.0.1/24`; undefined for anything else. A prefix that is left out is the whole address. */
export function parseCidr(text: string): { address: string; prefix: number; family: 4 | 6 } | undefined {
  const [address = '', written, ...rest] = text.split('/');
  const family = familyOf(address);
  if (family === undefined || rest.length > 0) return undefined;
  const longest = family === 4 ? 32 : 128;
  if (written === undefined) return { address, prefix: longest, family };
  const prefix = Number(written);
  return /^[0-9]{1,3}$/.test(written) && prefix <= longest ? { address, prefix, family } : undefined;
}
