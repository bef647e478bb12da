import { isIP } from 'node:net';
import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { ProbeCheck } from '../model/probe.js';
import { ipAddressField, textField } from './fields.js';
import { defineKind, missingContext } from './probe-kind.js';
import { targetError } from './target-text.js';

type NeighbourCheck<K extends 'arp' | 'ndp'> = Extract<ProbeCheck, { kind: K }>;

/** What differs between ARP and NDP. */
interface Protocol<K extends 'arp' | 'ndp'> {
  readonly kind: K;
  readonly family: 4 | 6;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly example: string;
  readonly other: string;
}

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i;
const INTERFACE = /^[^\s/:]{1,15}$/;

const macField = textField({ unit: 'MAC', example: '52:54:00:12:34:56' }, (text) =>
  MAC.test(text) ? undefined : `is not a MAC ("${text}"); write one such as 52:54:00:12:34:56`,
);

const interfaceField = textField({ unit: 'interface', example: 'br0' }, (text) =>
  INTERFACE.test(text) && text !== '.' && text !== '..'
    ? undefined
    : `is not the name of an interface ("${text}"); write one such as br0`,
);

function schemaOf<K extends 'arp' | 'ndp'>({ kind, family, other }: Protocol<K>) {
  return z
    .strictObject({
      host: ipAddressField
        .refine((text) => isIP(text) === 0 || isIP(text) === family, {
          error: `is not an IPv${family} address; use ${other} for it`,
        })
        .optional(),
      interface: interfaceField.optional(),
      mac: macField.optional(),
    })
    .transform(({ host, interface: link, mac }) => ({
      kind,
      ...given({ host, interface: link, mac: mac?.toLowerCase() }),
    }));
}

function parse<K extends 'arp' | 'ndp'>(protocol: Protocol<K>, text: string, name: string) {
  const help = `an address, where needed with its interface: ${protocol.example} or ${protocol.example}%br0`;
  const [host = '', link, ...rest] = text.split('%');
  if (isIP(host) !== protocol.family)
    throw targetError(name, text, `is not an IPv${protocol.family} address`, help);
  if (rest.length > 0 || (link !== undefined && !INTERFACE.test(link)))
    throw targetError(name, text, 'has no name of an interface behind its %', help);
  return { kind: protocol.kind, host, ...given({ interface: link }) };
}

function checkFamily<K extends 'arp' | 'ndp'>({ family, name, other }: Protocol<K>, address: string): string {
  if (isIP(address) === family) return address;
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `${name} asks for IPv${family} addresses, and the VM's is ${address}; use ${other}, or name the host`,
  );
}

const ARP: Protocol<'arp'> = {
  kind: 'arp',
  family: 4,
  name: 'ARP',
  aliases: ['arping'],
  example: '192.0.2.10',
  other: 'ndp',
};

const NDP: Protocol<'ndp'> = {
  kind: 'ndp',
  family: 6,
  name: 'NDP',
  aliases: ['ndisc'],
  example: '2001:db8::10',
  other: 'arp',
};

const targetHelp = ({ example }: Protocol<'arp' | 'ndp'>) =>
  `an address, where needed with its interface: ${example} or ${example}%br0`;

/** Asks by ARP who has an IPv4 address; a guest answers whatever its firewall drops. */
export const arp = defineKind<NeighbourCheck<'arp'>>({
  kind: 'arp',
  aliases: ARP.aliases,
  summary: 'asks by ARP who has an IPv4 address',
  targetHelp: targetHelp(ARP),
  schema: schemaOf(ARP),
  parseTarget: (text, name) => ({ check: parse(ARP, text, name) }),
  lookups: ({ host }) => (host === undefined ? { vmAddress: true } : { host }),
  lower: ({ kind, host: _, ...neighbour }, { address }) => {
    if (address === undefined) throw missingContext(kind, 'an address');
    return { kind, ip: checkFamily(ARP, address), neighbour };
  },
  label: ({ host }) => `ARP for ${host ?? 'the address of the VM'}`,
});

/** Asks by neighbour discovery who has an IPv6 address. */
export const ndp = defineKind<NeighbourCheck<'ndp'>>({
  kind: 'ndp',
  aliases: NDP.aliases,
  summary: 'asks by NDP who has an IPv6 address',
  targetHelp: targetHelp(NDP),
  schema: schemaOf(NDP),
  parseTarget: (text, name) => ({ check: parse(NDP, text, name) }),
  lookups: ({ host }) => (host === undefined ? { vmAddress: true } : { host }),
  lower: ({ kind, host: _, ...neighbour }, { address }) => {
    if (address === undefined) throw missingContext(kind, 'an address');
    return { kind, ip: checkFamily(NDP, address), neighbour };
  },
  label: ({ host }) => `NDP for ${host ?? 'the address of the VM'}`,
});
