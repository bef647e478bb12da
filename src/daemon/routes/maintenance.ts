import { type ApiOptions, get, type Route } from '../api-route.js';

/** Recurring maintenance of every VM. */
export function maintenanceRoutes({ runtime }: ApiOptions): Route[] {
  return [get('/v1/maintenance', (c) => c.json({ entries: runtime.maintenance() }))];
}
