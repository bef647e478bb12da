import { maintenanceAnswer } from '../answers/recovery.js';
import { type ApiOptions, get, type Route } from '../api-route.js';

/** Recurring maintenance of every VM. */
export function maintenanceRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/maintenance',
      scope: 'read',
      summary: 'Recurring maintenance of all VMs.',
      answer: maintenanceAnswer,
      handle: () => ({ entries: runtime.maintenance() }),
    }),
  ];
}
