import { readFile, writeFile } from 'node:fs/promises';
import { errorMessage, VmpulseError } from '../model/errors.js';

const SWITCH = {
  4: '/proc/sys/net/ipv4/ip_forward',
  6: '/proc/sys/net/ipv6/conf/all/forwarding',
} as const;

/** Whether this host passes packets on from one network to another. */
export interface Forwarding {
  isOn(family: 4 | 6): Promise<boolean>;
  /** Throws ERR_VMPULSE_NETWORK. */
  switchOn(family: 4 | 6): Promise<void>;
}

/** That of the host that this process runs on. */
export const hostForwarding: Forwarding = {
  // A family that the host has not at all forwards nothing.
  isOn: async (family) => (await readFile(SWITCH[family], 'utf8').catch(() => '0')).trim() !== '0',
  switchOn: async (family) => {
    await writeFile(SWITCH[family], '1').catch((cause: unknown) => {
      const text = `forwarding cannot be switched on: ${errorMessage(cause)}`;
      throw new VmpulseError('ERR_VMPULSE_NETWORK', text, { cause });
    });
  },
};
