import { z } from 'zod';
import { targetsAnswer } from '../answers/readiness.js';
import { type ApiOptions, get, type Route } from '../api-route.js';
import { targetGroups } from '../service-discovery.js';

const discoveryQuery = z.strictObject({ port: z.string().optional(), ready: z.string().optional() });

/** The VMs as Prometheus' HTTP service discovery reads them. */
export function discoveryRoutes({ runtime }: Pick<ApiOptions, 'runtime'>): Route[] {
  return [
    get({
      path: '/sd/prometheus',
      scope: 'read',
      summary: "The VMs for Prometheus' HTTP service discovery.",
      query: discoveryQuery,
      answer: targetsAnswer,
      handle: ({ query }) => targetGroups(runtime.view().vms, query),
    }),
  ];
}
