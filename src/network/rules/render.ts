import { type HostNetwork, tapsOf } from '../../model/link.js';
import type { VmId, VmSpec } from '../../model/vm.js';
import { parseCidr } from '../cidr.js';
import { DEFAULT_GROUP, EMPTY_GROUP, type SecurityGroup, type SecurityRule } from './group.js';

/** In every packet that the host itself sends to a guest, from its output to the bridge's. */
const OWN_MARK = '0x00800000';
const NOT_OWN_MARK = '0xff7fffff';

/** vmpulse's own tables; nothing else is ever touched. */
export const TABLES = ['inet vmpulse', 'bridge vmpulse'] as const;

export interface RuleSources {
  readonly networks: readonly HostNetwork[];
  readonly vms: readonly VmSpec[];
  readonly groups: ReadonlyMap<string, SecurityGroup>;
  /** The bridge that a device is a port of now; undefined: none. */
  readonly bridgeOf: (device: string) => string | undefined;
  /** The kernel follows conversations between the ports of a bridge. */
  readonly tracksBridges: boolean;
}

/** A device whose traffic towards the guest is looked at. */
interface Guarded {
  readonly vm: VmId;
  readonly device: string;
  readonly rules: readonly SecurityRule[];
  readonly drops: boolean;
}

/** Policy and rules of a VM: those of its own group and of the group `default`. */
export function effectiveRules(
  vm: VmId,
  groups: ReadonlyMap<string, SecurityGroup>,
): { readonly policy: 'accept' | 'drop'; readonly rules: readonly SecurityRule[] } {
  const [common, own] = [DEFAULT_GROUP, vm].map((name) => groups.get(name) ?? EMPTY_GROUP);
  return {
    policy: own?.policy ?? common?.policy ?? 'accept',
    rules: [...(common?.rules ?? []), ...(own?.rules ?? [])],
  };
}

/** What `nft -f -` is given: both tables as they shall be, in one transaction. Null: there is nothing to be done. */
export function renderRules(sources: RuleSources): string | null {
  const { networks, vms, groups, bridgeOf, tracksBridges } = sources;
  const guarded = vms.flatMap((vm): Guarded[] => {
    const { policy, rules } = effectiveRules(vm.id, groups);
    if (policy === 'accept' && rules.length === 0) return [];
    return tapsOf(vm).map(({ device }) => ({ vm: vm.id, device, rules, drops: policy === 'drop' }));
  });
  const nat = networks.filter((network) => network.nat);
  if (guarded.length === 0 && nat.length === 0) return null;
  const expected = new Map(vms.flatMap(tapsOf).map(({ device, bridge }) => [device, bridge]));
  const bridges = guarded.flatMap(({ device }) => expected.get(device) ?? bridgeOf(device) ?? []);
  return [
    ...renderRemoval(),
    ...inetTable(nat, guarded, [...new Set(bridges)]),
    ...bridgeTable(guarded, tracksBridges),
  ]
    .join('\n')
    .concat('\n');
}

/** The same for no rules at all. A table is made before it is deleted, as there may be none. */
export function renderRemoval(): string[] {
  return TABLES.flatMap((table) => [`table ${table}`, `delete table ${table}`]);
}

function inetTable(
  nat: readonly HostNetwork[],
  guarded: readonly Guarded[],
  bridges: readonly string[],
): string[] {
  const own = bridges.map((bridge) => `"${bridge}"`).join(', ');
  return [
    'table inet vmpulse {',
    ...chain('postrouting', 'type nat hook postrouting priority srcnat; policy accept;', nat.map(masquerade)),
    ...chain(
      'output',
      'type filter hook output priority filter; policy accept;',
      own === '' ? [] : [`oifname { ${own} } meta mark set meta mark | ${OWN_MARK}`],
    ),
    // A TAP on no bridge: what the host sends to it does not pass here, what it forwards does. Answers that it forwards
    // to a bridge count as its own: there it is not known any more whose they are.
    ...chain('forward', 'type filter hook forward priority filter; policy accept;', [
      ...(own === ''
        ? []
        : [`oifname { ${own} } ct state established,related meta mark set meta mark | ${OWN_MARK}`]),
      ...guarded.map(jump),
    ]),
    ...guarded.flatMap((each) => guard(each, true)),
    '}',
  ];
}

function bridgeTable(guarded: readonly Guarded[], tracks: boolean): string[] {
  const isOwn = `meta mark & ${OWN_MARK} == ${OWN_MARK} meta mark set meta mark & ${NOT_OWN_MARK} accept`;
  return [
    'table bridge vmpulse {',
    // Probes come from the host itself: they are let through whatever the groups say.
    ...chain('output', 'type filter hook output priority filter; policy accept;', [
      isOwn,
      ...guarded.map(jump),
    ]),
    ...chain('forward', 'type filter hook forward priority filter; policy accept;', guarded.map(jump)),
    ...guarded.flatMap((each) => guard(each, tracks)),
    '}',
  ];
}

function chain(name: string, hook: string, rules: readonly string[]): string[] {
  return [`  chain ${name} {`, `    ${hook}`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function masquerade({ bridge, address = '', uplink }: HostNetwork): string {
  const cidr = parseCidr(address);
  const family = cidr?.family === 6 ? 'ip6' : 'ip';
  const out = uplink === undefined ? `oifname != "${bridge}"` : `oifname "${uplink}"`;
  return `${family} saddr ${address} ${out} masquerade`;
}

function jump({ device }: Guarded): string {
  return `oifname "${device}" jump to-${device}`;
}

/** Without a memory of conversations: of TCP whatever begins none, and the answers of pings. */
const ANSWERS = [
  'tcp flags & (syn | ack) != syn accept',
  'icmp type echo-reply accept',
  'icmpv6 type echo-reply accept',
];

function guard({ vm, device, rules, drops }: Guarded, tracks: boolean): string[] {
  return [
    `  chain to-${device} {`,
    // Without these a guest cannot hold a conversation that it began, or be found at all.
    ...(tracks ? ['ct state established,related accept'] : ANSWERS).map((rule) => `    ${rule}`),
    '    meta protocol arp accept',
    '    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept',
    '    udp sport 67 udp dport 68 accept',
    '    udp sport 547 udp dport 546 accept',
    ...rules.map((rule) => `    ${accept(rule)}`),
    ...(drops ? [`    counter drop comment "${quotable(vm)}: nothing lets it through"`] : []),
    '  }',
  ];
}

function accept({ sourceCidr, protocol, port, toPort, comment }: SecurityRule): string {
  const family = sourceCidr === null ? undefined : parseCidr(sourceCidr)?.family;
  const from = sourceCidr === null ? [] : [`${family === 6 ? 'ip6' : 'ip'} saddr ${sourceCidr}`];
  const what =
    protocol === 'any'
      ? []
      : protocol === 'icmp'
        ? ['meta l4proto { icmp, ipv6-icmp }']
        : port === null
          ? [`meta l4proto ${protocol}`]
          : [`${protocol} dport ${port}${toPort === null ? '' : `-${toPort}`}`];
  const said = comment === '' ? [] : [`comment "${quotable(comment)}"`];
  return [...from, ...what, 'counter accept', ...said].join(' ');
}

/** Text as nft takes it between quotes, where it knows no escapes, and at most 128 bytes with what stands behind it. */
function quotable(text: string): string {
  return text.replace(/[^A-Za-z0-9 _.,:;/()+@#=-]/g, '_').slice(0, 100);
}
