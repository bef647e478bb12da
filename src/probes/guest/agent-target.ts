import { parseSocketPath, targetError } from '../target-text.js';

/** What `vmpulse probe` takes for an agent. */
export const AGENT_TARGET =
  'the path of the agent socket, for example /run/vm.qga, or the vsock socket of the hypervisor and the port, /run/vm.vsock:9720';
/** The largest number means "any" in the kernel. */
const MAX_PORT = 4_294_967_294;

export interface AgentTarget {
  readonly protocol: 'qga';
  readonly path: string;
  readonly vsockPort?: number;
}

/** Reads where an agent is asked. Throws ERR_VMPULSE_USAGE. */
export function parseAgentTarget(text: string, name: string, help = AGENT_TARGET): AgentTarget {
  const [, socket, digits] = /^(.+):([0-9]{1,10})$/.exec(text) ?? [];
  if (socket === undefined) return { protocol: 'qga', path: parseSocketPath(text, name, help) };
  const vsockPort = Number(digits);
  if (vsockPort < 1 || vsockPort > MAX_PORT)
    throw targetError(name, text, `has no vsock port between 1 and ${MAX_PORT}`, help);
  return { protocol: 'qga', path: parseSocketPath(socket, name, help), vsockPort };
}
