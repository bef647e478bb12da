import { readinessAnswer } from '../answers/readiness.js';
import { type ApiOptions, get, type Route } from '../api-route.js';

/** The list of endpoints: which VMs get traffic. */
export function readinessRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/readiness',
      scope: 'read',
      summary: 'The list of endpoints: which VMs get traffic.',
      answer: readinessAnswer,
      handle: () => {
        const { host, nowMs, vms } = runtime.view();
        const endpoints = vms.map(({ id, ready, keptReadyBy, health, address, endpoint, labels }) => ({
          ...{ vm: id, ready, keptReadyBy, health, address, endpoint, labels },
        }));
        return { host, atMs: nowMs, endpoints };
      },
    }),
  ];
}
