import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import { plainText } from '../model/plain-text.js';

/** A health check in the words of other monitors. */
export interface HealthCheck {
  readonly type?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
  /** What the console must show. */
  readonly pattern?: string | undefined;
  /** Program and arguments, run in the guest through its agent. */
  readonly command?: readonly string[] | undefined;
}

/** The kind of probe that does the same, and its options as a document has them. */
export interface KindOfCheck {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

type Maker = (check: HealthCheck) => KindOfCheck;

const http =
  (scheme: 'HTTP' | 'HTTPS', usual: number): Maker =>
  ({ port = usual, path = '/' }) => ({
    kind: 'httpGet',
    options: { port, path, ...(scheme === 'HTTPS' ? { scheme } : {}) },
  });

const MAKERS: Readonly<Record<string, Maker>> = {
  http: http('HTTP', 80),
  https: http('HTTPS', 443),
  tcp: ({ port }) => ({ kind: 'tcpSocket', options: { port: needed(port, 'tcp', 'a port') } }),
  icmp: () => ({ kind: 'icmp', options: { count: 3 } }),
  ssh: ({ port }) => ({ kind: 'ssh', options: { level: 'banner', ...given({ port }) } }),
  agent: () => ({ kind: 'guestAgentPing', options: {} }),
  process: () => ({ kind: 'vmmProcess', options: {} }),
  console: ({ pattern }) => ({ kind: 'console', options: { seen: needed(pattern, 'console', 'a pattern') } }),
  script: ({ command }) => ({ kind: 'exec', options: { command: needed(command, 'script', 'a command') } }),
};

const SAME: Readonly<Record<string, string>> = { ping: 'icmp', exec: 'script', guest_agent: 'agent' };

export const HEALTH_CHECK_TYPES: readonly string[] = Object.keys(MAKERS);

/** Throws ERR_VMPULSE_USAGE for a type that is not known, and for what it needs and has not. */
export function kindOfCheck(check: HealthCheck): KindOfCheck {
  const type = check.type?.toLowerCase() ?? 'http';
  const name = Object.hasOwn(SAME, type) ? (SAME[type] ?? type) : type;
  const make = Object.hasOwn(MAKERS, name) ? MAKERS[name] : undefined;
  if (make !== undefined) return make(check);
  const text = `there is no health check of type ${plainText(type, 60)}; there are ${HEALTH_CHECK_TYPES.join(', ')}`;
  throw new VmpulseError('ERR_VMPULSE_USAGE', text);
}

function needed<T>(value: T | undefined, type: string, what: string): T {
  if (value !== undefined) return value;
  throw new VmpulseError('ERR_VMPULSE_USAGE', `a health check of type ${type} needs ${what}; give one`);
}
