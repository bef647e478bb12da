import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { Deadline } from '../model/deadline.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import type { ReloadView, RuntimeApi } from '../runtime/views.js';
import { authorBody, holdBody, maintenanceBody, readBody, resumeBody, scheduleBody } from './api-bodies.js';
import { type ApiFailure, apiFailure, failure } from './api-errors.js';
import { resumeAfter, streamEvents } from './event-stream.js';
import { heartbeatRoutes } from './heartbeat-api.js';
import { targetGroups } from './service-discovery.js';

/** What the API needs. */
export interface ApiOptions {
  readonly runtime: RuntimeApi;
  readonly reload: () => Promise<ReloadView>;
  readonly logger: Logger;
  /** False while the daemon starts: everything but the metrics is then answered with 503. */
  readonly isReady: () => boolean;
  /** Wall-clock ms at which the daemon started; names its run in the ids of events. */
  readonly run: number;
  /** Fires when the daemon ends; event streams end with it. */
  readonly signal: AbortSignal;
  /** Longest time for a request, ms; default 10,000. Event streams have none. */
  readonly requestDeadlineMs?: number;
}

export interface ApiEnv {
  Bindings: HttpBindings;
}

type Handler = (c: Context<ApiEnv>) => Response | Promise<Response>;

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: Handler;
  /** Longest time for it, ms; default that of the API. */
  readonly deadlineMs?: number;
}

const MAX_STREAMS = 64;
/** Entries of the journal in one answer, at most. */
const JOURNAL_PAGE = 1_000;
const DEADLINE_MS = 10_000;
/** A reload reads all documents first, which has a deadline of its own. */
const RELOAD_MS = 60_000;
const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/** The daemon's HTTP API; docs/reference/api.md describes it. */
export function createApi(options: ApiOptions): Hono<ApiEnv> {
  const deadlineMs = options.requestDeadlineMs ?? DEADLINE_MS;
  const app = baseApp(options.logger);
  refuseUntilReady(app, options.isReady);
  addRoutes(
    app,
    [
      ...viewRoutes(options.runtime),
      readinessRoute(options.runtime),
      ...commandRoutes(options),
      ...heartbeatRoutes(options.runtime),
      metricsRoute(options.runtime),
      discoveryRoute(options.runtime),
    ].map((route) => ({ ...route, handle: withDeadline(route, deadlineMs) })),
  );
  addRoutes(app, [eventsRoute(options)]);
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
  const routes = heartbeatRoutes(options.runtime);
  addRoutes(
    app,
    routes.map((route) => ({ ...route, handle: withDeadline(route, DEADLINE_MS) })),
  );
  return app;
}

/** What Prometheus asks, for the loopback port. */
export function createMetricsApi(runtime: RuntimeApi, logger: Logger): Hono<ApiEnv> {
  const app = baseApp(logger);
  const routes = [metricsRoute(runtime), discoveryRoute(runtime)];
  addRoutes(
    app,
    routes.map((route) => ({ ...route, handle: withDeadline(route, DEADLINE_MS) })),
  );
  return app;
}

function baseApp(logger: Logger): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => {
    const told = apiFailure(error);
    if (told.status === 500)
      logger.error({ method: c.req.method, path: c.req.path, error: errorMessage(error) }, 'request failed');
    return answer(c, told);
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

function addRoutes(app: Hono<ApiEnv>, routes: readonly Route[]): void {
  for (const { method, path, handle } of routes) app.on(method, path, handle);
  for (const { method, path } of routes) {
    app.all(path, (c) => {
      c.header('Allow', method);
      return answer(
        c,
        failure(405, 'ERR_VMPULSE_ARGUMENT', `${c.req.path} takes ${method}, not ${c.req.method}`),
      );
    });
  }
}

function answer(c: Context, { status, body }: ApiFailure): Response {
  return c.json(body, status);
}

function withDeadline({ method, path, handle, deadlineMs }: Route, usualMs: number): Handler {
  const options = { deadlineMs: deadlineMs ?? usualMs };
  return (c) => new Deadline(`${method} ${path}`, options).race(Promise.resolve(handle(c)));
}

/** A VM in a path: `namespace/name`, or a name that only one has. */
function vmOf(c: Context<ApiEnv>, runtime: RuntimeApi): VmId {
  const [namespace, name] = [c.req.param('namespace'), c.req.param('name') ?? ''];
  return runtime.resolveVm(namespace === undefined ? name : `${namespace}/${name}`);
}

function wholeQuery(c: Context<ApiEnv>, name: string, usual: number, max: number): number {
  const text = c.req.query(name);
  if (text === undefined) return usual;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value <= max) return value;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `?${name}= must be a whole number up to ${max}`);
}

function viewRoutes(runtime: RuntimeApi): Route[] {
  const status: Handler = (c) => c.json(runtime.viewVm(vmOf(c, runtime)));
  const policy: Handler = (c) => c.json(runtime.recoveryPolicy(vmOf(c, runtime)));
  const explain: Handler = async (c) => c.json(await runtime.explain(vmOf(c, runtime)));
  const journal: Handler = async (c) => {
    const afterSeq = wholeQuery(c, 'after', 0, Number.MAX_SAFE_INTEGER);
    const limit = wholeQuery(c, 'limit', JOURNAL_PAGE, JOURNAL_PAGE);
    return c.json({ entries: await runtime.journal({ afterSeq, limit }) });
  };
  return [
    { method: 'GET', path: '/v1/status', handle: (c) => c.json(runtime.view()) },
    { method: 'GET', path: '/v1/status/:name', handle: status },
    { method: 'GET', path: '/v1/status/:namespace/:name', handle: status },
    { method: 'GET', path: '/v1/intents', handle: (c) => c.json({ intents: runtime.intents() }) },
    { method: 'GET', path: '/v1/maintenance', handle: (c) => c.json({ entries: runtime.maintenance() }) },
    { method: 'GET', path: '/v1/journal', handle: journal },
    { method: 'GET', path: '/v1/policy/:name', handle: policy },
    { method: 'GET', path: '/v1/policy/:namespace/:name', handle: policy },
    { method: 'GET', path: '/v1/explain/:name', handle: explain },
    { method: 'GET', path: '/v1/explain/:namespace/:name', handle: explain },
  ];
}

function commandRoutes({ runtime, reload }: ApiOptions): Route[] {
  const resolved = (vm: string | undefined) => (vm === undefined ? null : runtime.resolveVm(vm));
  const post = (path: string, handle: Handler): Route => ({ method: 'POST', path, handle });
  return [
    { ...post('/v1/reload', async (c) => c.json(await reload())), deadlineMs: RELOAD_MS },
    post('/v1/recovery/hold', async (c) => {
      const { vm, reason, author, forMs } = await readBody(c.env.incoming, holdBody);
      await runtime.hold({ vm: resolved(vm), reason, author, forMs: forMs ?? null });
      return c.json({ holds: runtime.view().holds });
    }),
    post('/v1/recovery/resume', async (c) => {
      const { vm, author } = await readBody(c.env.incoming, resumeBody);
      await runtime.resume({ vm: resolved(vm), author });
      return c.json({ holds: runtime.view().holds });
    }),
    post('/v1/intents/clear', async (c) => {
      const { vm, author } = await readBody(c.env.incoming, resumeBody);
      await runtime.clearIntents({ vm: resolved(vm), author });
      return c.json({ intents: runtime.intents() });
    }),
    ...vmCommandRoutes(runtime),
  ];
}

/** Commands about one VM; most answer the VM as it then is. */
function vmCommandRoutes(runtime: RuntimeApi): Route[] {
  type Command = (c: Context<ApiEnv>, vm: VmId) => Promise<void>;
  const routes = (verb: string, handle: Handler): Route[] =>
    ['/v1/vms/:name', '/v1/vms/:namespace/:name'].map((path) => ({
      method: 'POST',
      path: `${path}/${verb}`,
      handle,
    }));
  const about = (verb: string, run: Command): Route[] =>
    routes(verb, async (c) => {
      const vm = vmOf(c, runtime);
      await run(c, vm);
      return c.json(runtime.viewVm(vm));
    });
  return [
    ...routes('heartbeat-token', async (c) => {
      const { author } = await readBody(c.env.incoming, authorBody);
      const vm = vmOf(c, runtime);
      return c.json({ vm, token: await runtime.issueHeartbeatToken({ vm, author }) });
    }),
    ...about('release', async (c, vm) => {
      const { author } = await readBody(c.env.incoming, authorBody);
      await runtime.release({ vm, author });
    }),
    ...about('maintenance', async (c, vm) => {
      const { reason, author, forMs } = await readBody(c.env.incoming, maintenanceBody);
      await runtime.beginMaintenance({ vm, reason, author, forMs: forMs ?? null });
    }),
    ...about('schedule', async (c, vm) => {
      await runtime.schedule({ vm, ...(await readBody(c.env.incoming, scheduleBody)) });
    }),
    ...about('end-maintenance', async (c, vm) => {
      const { author } = await readBody(c.env.incoming, authorBody);
      await runtime.endMaintenance({ vm, author });
    }),
  ];
}

function metricsRoute(runtime: RuntimeApi): Route {
  const handle: Handler = async (c) =>
    c.body(await runtime.metricsText(), 200, { 'content-type': PROMETHEUS_TEXT });
  return { method: 'GET', path: '/metrics', handle };
}

function discoveryRoute(runtime: RuntimeApi): Route {
  const handle: Handler = (c) => {
    const query = { port: c.req.query('port'), ready: c.req.query('ready') };
    return c.json(targetGroups(runtime.view().vms, query));
  };
  return { method: 'GET', path: '/sd/prometheus', handle };
}

function readinessRoute(runtime: RuntimeApi): Route {
  const handle: Handler = (c) => {
    const { host, nowMs, vms } = runtime.view();
    const endpoints = vms.map(({ id, ready, keptReadyBy, health, address, endpoint, labels }) => ({
      ...{ vm: id, ready, keptReadyBy, health, address, endpoint, labels },
    }));
    return c.json({ host, atMs: nowMs, endpoints });
  };
  return { method: 'GET', path: '/v1/readiness', handle };
}

function eventsRoute({ runtime, run, signal, logger }: ApiOptions): Route {
  let streams = 0;
  return {
    method: 'GET',
    path: '/v1/events',
    handle: (c) => {
      if (streams >= MAX_STREAMS) {
        throw new VmpulseError(
          'ERR_VMPULSE_CLOSED',
          `${MAX_STREAMS} clients listen already; end one of them`,
        );
      }
      const name = c.req.query('vm');
      const vm = name === undefined ? undefined : runtime.resolveVm(name);
      const afterId = resumeAfter(c.req.header('last-event-id'), run);
      streams += 1;
      streamEvents(c.env.outgoing, { runtime, run, afterId, vm, signal })
        .catch((error: unknown) => logger.warn({ error: errorMessage(error) }, 'an event stream broke off'))
        .finally(() => {
          streams -= 1;
        });
      return RESPONSE_ALREADY_SENT;
    },
  };
}
