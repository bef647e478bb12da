// Targets of the engine on the responder's addresses.
import { loopbackAddress } from './responder.mjs';

const http = (endpoint, scheme) => ({
  kind: 'httpGet',
  endpoint,
  http: { scheme, port: endpoint.port, path: '/healthz', headers: [] },
});

const CHECKS = {
  tcp: (endpoint) => ({ kind: 'tcpSocket', endpoint, close: 'rst' }),
  'tcp-fin': (endpoint) => ({ kind: 'tcpSocket', endpoint, close: 'fin' }),
  'half-open': (endpoint) => ({ kind: 'tcpHalfOpen', endpoint }),
  icmp: ({ ip }) => ({ kind: 'icmp', ip, ping: { count: 1, payloadBytes: 56 } }),
  http: (endpoint) => http(endpoint, 'http'),
  https: (endpoint) => http(endpoint, 'https'),
};

/** The n-th target, probed by `kind` once a period. */
export function targetOf(n, kind, port, periodMs) {
  return {
    id: `bench/vm-${n}/${kind}`,
    check: CHECKS[kind]({ ip: loopbackAddress(n), port }),
    timing: {
      initialDelayMs: 0,
      periodMs,
      timeoutMs: Math.min(1000, periodMs / 2),
      successThreshold: 1,
      failureThreshold: 3,
    },
    startState: 'unknown',
  };
}
