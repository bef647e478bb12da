import { isIP } from 'node:net';
import { z } from 'zod';
import { given } from '../model/given.js';
import type { HostNetwork } from '../model/link.js';
import { booleanField, deviceField, textField } from '../probes/fields.js';

const addressField = textField({ unit: 'address/prefix', example: '10.77.0.1/24' }, (text) => {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  const longest = family === 4 ? 30 : 126;
  const isPrefix = /^[0-9]{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= longest;
  return family !== 0 && isPrefix && rest.length === 0
    ? undefined
    : `is not an address with its prefix ("${text}"); write the host's own address on the bridge, such as 10.77.0.1/24`;
});

const network = z
  .strictObject({
    bridge: deviceField('bridge', 'vmbr0'),
    address: addressField.optional(),
    nat: booleanField.optional(),
    uplink: deviceField('device', 'eth0').optional(),
  })
  .superRefine((written, ctx) => {
    const refuse = (path: string, message: string) =>
      ctx.addIssue({ code: 'custom', message, path: [path], input: written });
    if (written.nat === true && written.address === undefined)
      refuse('nat', 'needs the network of an address; add address, such as 10.77.0.1/24');
    if (written.uplink !== undefined && written.nat !== true)
      refuse('uplink', 'is where NAT leads; add nat: true, or remove it');
    if (written.uplink !== undefined && written.uplink === written.bridge)
      refuse('uplink', 'is the bridge itself; name the device that leads out of this host');
  });

/** The networks that vmpulse makes on the host. */
export const networksSchema = z
  .array(network)
  .max(64)
  .superRefine((networks, ctx) => {
    networks.forEach(({ bridge }, index) => {
      if (networks.findIndex((other) => other.bridge === bridge) === index) return;
      const message = `"${bridge}" is already a network above; give each its own bridge`;
      ctx.addIssue({ code: 'custom', message, path: [index, 'bridge'], input: networks });
    });
  });

export function buildNetworks(written: z.output<typeof networksSchema> | undefined): readonly HostNetwork[] {
  return (written ?? []).map(({ bridge, address, nat, uplink }) => ({
    bridge,
    ...given({ address: address?.toLowerCase() }),
    nat: nat ?? false,
    ...given({ uplink }),
  }));
}
