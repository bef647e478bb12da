import { type Context, Hono } from 'hono';
import { Deadline } from '../model/deadline.js';
import { errorMessage, isVmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { RuntimeApi } from '../runtime/views.js';
import { type Caller, demand, type Identify } from './access/caller.js';
import { type ApiFailure, apiFailure, failure } from './api-errors.js';
import type { ApiEnv, ApiOptions, Handler, Route } from './api-route.js';
import { discoveryRoutes } from './routes/discovery.js';
import { heartbeatRoutes } from './routes/heartbeats.js';
import { metricsRoutes } from './routes/metrics.js';
import { apiRoutes } from './routes/registry.js';

export const DEADLINE_MS = 10_000;

/** What reading the URL would take out: a proxy that looks at paths would let through what it means to refuse. */
const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\#]|$)/i;

/** Whom a port serves, and how long. */
interface Serving {
  readonly identify: Identify;
  readonly deadlineMs: number;
}

/** A port that everyone who reaches it may read, or that checks tokens by itself. */
const ANYBODY: Caller = { identity: null, scope: 'read' };
const OPEN: Serving = { identify: async () => ANYBODY, deadlineMs: DEADLINE_MS };

/** The daemon's HTTP API; docs/reference/api.md describes it. */
export function createApi(options: ApiOptions): Hono<ApiEnv> {
  const app = baseApp(options.logger);
  refuseUntilReady(app, options.isReady);
  addRoutes(app, apiRoutes(options), {
    identify: options.identify,
    deadlineMs: options.requestDeadlineMs ?? DEADLINE_MS,
  });
  return app;
}

function refuseUntilReady(app: Hono<ApiEnv>, isReady: () => boolean): void {
  app.use('/v1/*', async (c, next) => {
    if (isReady()) return next();
    c.header('Retry-After', '1');
    return answer(c, failure(503, 'ERR_VMPULSE_CLOSED', 'the daemon is starting; try again in a moment'));
  });
}

/** Only heartbeats, for the port that guests reach. */
export function createHeartbeatApi(
  options: Pick<ApiOptions, 'runtime' | 'logger' | 'isReady'>,
): Hono<ApiEnv> {
  const app = baseApp(options.logger);
  refuseUntilReady(app, options.isReady);
  addRoutes(app, heartbeatRoutes(options), OPEN);
  return app;
}

/** What Prometheus asks, for the loopback port. */
export function createMetricsApi(runtime: RuntimeApi, logger: Logger): Hono<ApiEnv> {
  const app = baseApp(logger);
  addRoutes(app, [...metricsRoutes({ runtime }), ...discoveryRoutes({ runtime })], OPEN);
  return app;
}

function baseApp(logger: Logger): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => {
    const told = apiFailure(error);
    if (told.status === 500)
      logger.error({ method: c.req.method, path: c.req.path, error: errorMessage(error) }, 'request failed');
    if (told.status === 401) c.header('WWW-Authenticate', 'Bearer');
    if (isVmpulseError(error, 'ERR_VMPULSE_LIMIT'))
      c.header('Retry-After', String(error.details.retryAfterS ?? 1));
    return answer(c, told);
  });
  app.use(async (c, next) => {
    const [path = ''] = (c.env.incoming.url ?? '').split('?', 1);
    if (!DOT_SEGMENT.test(path)) return next();
    return answer(c, failure(400, 'ERR_VMPULSE_ARGUMENT', 'a path here has no segments . and ..'));
  });
  app.notFound((c) =>
    answer(
      c,
      failure(
        404,
        'ERR_VMPULSE_ARGUMENT',
        `there is no ${c.req.path}; docs/reference/api.md lists what there is`,
      ),
    ),
  );
  return app;
}

function addRoutes(app: Hono<ApiEnv>, routes: readonly Route[], serving: Serving): void {
  for (const route of routes) app.on(route.method, route.path, serve(route, serving));
  for (const path of new Set(routes.map((route) => route.path))) {
    const allowed = routes.filter((route) => route.path === path).map(({ method }) => method);
    app.all(path, (c) => {
      c.header('Allow', allowed.join(', '));
      const why = `${c.req.path} takes ${allowed.join(' and ')}, not ${c.req.method}`;
      return answer(c, failure(405, 'ERR_VMPULSE_ARGUMENT', why));
    });
  }
}

function answer(c: Context, { status, body }: ApiFailure): Response {
  return c.json(body, status);
}

/** Within its time: who asks, whether they may, and the answer. */
function serve(route: Route, { identify, deadlineMs: usualMs }: Serving): Handler {
  const name = `${route.method} ${route.path}`;
  const answerTo: Handler = async (c) => {
    const caller = route.scope === null ? ANYBODY : await identify(c.env.incoming);
    if (route.scope !== null) demand(caller, route.scope, name);
    c.set('caller', caller);
    return route.handle(c);
  };
  if (route.deadlineMs === null) return answerTo;
  const options = { deadlineMs: route.deadlineMs ?? usualMs };
  return (c) => new Deadline(name, options).race(Promise.resolve(answerTo(c)));
}
