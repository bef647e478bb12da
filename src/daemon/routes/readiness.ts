import { type ApiOptions, get, type Route } from '../api-route.js';

/** The list of endpoints: which VMs get traffic. */
export function readinessRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get('/v1/readiness', (c) => {
      const { host, nowMs, vms } = runtime.view();
      const endpoints = vms.map(({ id, ready, keptReadyBy, health, address, endpoint, labels }) => ({
        ...{ vm: id, ready, keptReadyBy, health, address, endpoint, labels },
      }));
      return c.json({ host, atMs: nowMs, endpoints });
    }),
  ];
}
