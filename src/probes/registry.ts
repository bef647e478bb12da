import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { DocumentKind } from '../model/probe.js';
import { command } from './command/command.js';
import { serialConsole } from './console/console.js';
import { grpc } from './grpc.js';
import { exec } from './guest/exec.js';
import { resource } from './guest/resource.js';
import { guestAgentPing } from './guest-agent-ping.js';
import { heartbeat } from './heartbeat.js';
import { httpGet } from './http-get.js';
import { icmp } from './icmp.js';
import { arp, ndp } from './neighbour.js';
import type { KindEntry, ProbeTarget } from './probe-kind.js';
import { ssh } from './ssh/ssh.js';
import { tapLink } from './tap-link.js';
import { tcpExchange } from './tcp-exchange.js';
import { tcpHalfOpen } from './tcp-half-open.js';
import { tcpSocket } from './tcp-socket.js';
import { vcpuProgress } from './vcpu-progress/vcpu-progress.js';
import { vmState } from './vm-state.js';
import { vmmProcess } from './vmm-process.js';
import { vsock } from './vsock.js';

/** Every kind of probe. A new kind is one file and one line here. */
export const PROBE_KINDS: { readonly [K in DocumentKind]: KindEntry } = {
  tcpSocket,
  tcpHalfOpen,
  icmp,
  arp,
  ndp,
  httpGet,
  tcpExchange,
  grpc,
  vsock,
  guestAgentPing,
  vmState,
  vmmProcess,
  vcpuProgress,
  tapLink,
  ssh,
  command,
  console: serialConsole,
  heartbeat,
  exec,
  resource,
};

export const KIND_ENTRIES: readonly KindEntry[] = Object.values(PROBE_KINDS);

/** The kind of that name or short name, for example `tcpSocket` or `tcp`. Throws ERR_VMPULSE_USAGE. */
export function findKind(name: string): KindEntry {
  const entry = KIND_ENTRIES.find(({ kind, aliases }) => kind === name || aliases.includes(name));
  if (entry !== undefined) return entry;
  const known = KIND_ENTRIES.map(({ kind, aliases }) => `${kind} (${aliases.join(', ')})`).join(', ');
  throw new VmpulseError(
    'ERR_VMPULSE_USAGE',
    `there is no probe kind "${plainText(name)}"; choose one of ${known}`,
  );
}

/** Reads KIND and TARGET of `vmpulse probe`. Throws ERR_VMPULSE_USAGE. */
export function parseProbeTarget(name: string, target: string): ProbeTarget {
  return findKind(name).parseTarget(target, name);
}
