import type { FoundVm } from '../hypervisors/discovery/index.js';
import { given } from '../model/given.js';
import type { GuestAddress } from './guest-address.js';

interface ProbesForOptions {
  readonly address: GuestAddress | undefined;
  /** Whether the guest agent is asked. */
  readonly hasAgent: boolean;
}

/** What the guest's port is most likely about; any other port answers through a forward whether it is open or not. */
const WEB = new Map([
  [80, 'http'],
  [8000, 'http'],
  [8080, 'http'],
  [443, 'https'],
  [8443, 'https'],
]);
const ANY_STATUS = ['100-599'];

/** Probes that a found VM allows, as a host document writes them; beside those that every VM has. */
export function probesFor(vm: FoundVm, { address, hasAgent }: ProbesForOptions): object[] {
  return [
    ...(hasAgent ? [{ name: 'agent', guestAgentPing: {}, ...RARE }] : []),
    ...vm.forwards.flatMap(forwardProbe),
    ...neighbourProbe(address),
    ...consoleProbe(vm),
  ];
}

const RARE = { periodSeconds: 10, timeoutSeconds: 2 };

function forwardProbe({ hostAddress, hostPort, guestPort }: FoundVm['forwards'][number]): object[] {
  const host = hostAddress === '0.0.0.0' ? '127.0.0.1' : hostAddress;
  if (guestPort === 22)
    return [{ name: `ssh-${hostPort}`, ssh: { host, port: hostPort, level: 'banner' }, ...RARE }];
  const scheme = WEB.get(guestPort);
  if (scheme === undefined) return [];
  const httpGet = {
    host,
    port: hostPort,
    ...(scheme === 'https' ? { scheme: 'HTTPS' } : {}),
    // Whether the answer is the right one only its owner knows; that there is one shows that the guest runs.
    expect: { status: ANY_STATUS },
  };
  return [{ name: `${scheme}-${hostPort}`, httpGet, ...RARE }];
}

/** An answer with another MAC is of somebody else who has the address now. */
function neighbourProbe(address: GuestAddress | undefined): object[] {
  if (address === undefined) return [];
  const { ip, mac, bridge } = address;
  const check = { mac, ...given({ interface: bridge }) };
  return [{ name: 'neighbour', [ip.includes(':') ? 'ndp' : 'arp']: check, ...RARE }];
}

function consoleProbe({ console: file }: FoundVm): object[] {
  if (file === undefined) return [];
  return [{ name: 'console', console: { file, notSeen: 'Kernel panic - not syncing' }, ...RARE }];
}
