import { type ApiOptions, get, type Route } from '../api-route.js';
import { targetGroups } from '../service-discovery.js';

/** The VMs as Prometheus' HTTP service discovery reads them. */
export function discoveryRoutes({ runtime }: Pick<ApiOptions, 'runtime'>): Route[] {
  return [
    get('/sd/prometheus', (c) => {
      const query = { port: c.req.query('port'), ready: c.req.query('ready') };
      return c.json(targetGroups(runtime.view().vms, query));
    }),
  ];
}
