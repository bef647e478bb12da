import type { ApiOptions, Route } from '../api-route.js';
import { applyRoutes } from './apply.js';
import { checkRoutes } from './checks.js';
import { configurationRoutes } from './configuration.js';
import { discoveryRoutes } from './discovery.js';
import { eventRoutes } from './events.js';
import { explainRoutes } from './explain.js';
import { guestRoutes } from './guests.js';
import { healthRoutes } from './health.js';
import { heartbeatRoutes } from './heartbeats.js';
import { historyRoutes } from './history.js';
import { hookRoutes } from './hooks.js';
import { intentRoutes } from './intents.js';
import { journalRoutes } from './journal.js';
import { leftoverRoutes } from './leftovers.js';
import { logRoutes } from './logs.js';
import { maintenanceRoutes } from './maintenance.js';
import { metricsRoutes } from './metrics.js';
import { networkRoutes } from './network.js';
import { notificationRoutes } from './notifications.js';
import { openApiRoutes } from './openapi.js';
import { planRoutes } from './plans.js';
import { policyRoutes } from './policy.js';
import { readinessRoutes } from './readiness.js';
import { recoveryRoutes } from './recovery.js';
import { reloadRoutes } from './reload.js';
import { securityGroupRoutes } from './security-groups.js';
import { statusRoutes } from './status.js';
import { tokenRoutes } from './tokens.js';
import { vmRoutes } from './vms.js';

/** What the API serves, a resource a line. */
const RESOURCES: readonly ((options: ApiOptions) => Route[])[] = [
  statusRoutes,
  explainRoutes,
  policyRoutes,
  readinessRoutes,
  journalRoutes,
  historyRoutes,
  healthRoutes,
  eventRoutes,
  intentRoutes,
  maintenanceRoutes,
  recoveryRoutes,
  networkRoutes,
  securityGroupRoutes,
  reloadRoutes,
  applyRoutes,
  configurationRoutes,
  planRoutes,
  leftoverRoutes,
  vmRoutes,
  checkRoutes,
  logRoutes,
  guestRoutes,
  heartbeatRoutes,
  hookRoutes,
  notificationRoutes,
  metricsRoutes,
  discoveryRoutes,
  tokenRoutes,
];

/** Every route of the API, its own description included. */
export function apiRoutes(options: ApiOptions): readonly Route[] {
  const routes: Route[] = RESOURCES.flatMap((routesOf) => routesOf(options));
  routes.push(...openApiRoutes(() => routes));
  return routes;
}
