import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { z } from 'zod';
import type { LifecycleApi } from '../lifecycle/index.js';
import type { Logger } from '../model/logger.js';
import type { Scope } from '../model/scope.js';
import type { VmId } from '../model/vm.js';
import type { NotifyApi } from '../notify/index.js';
import type { RuntimeApi } from '../runtime/views.js';
import { authorOf, type Caller, type Identify } from './access/caller.js';
import type { TokenApi } from './access/token-store.js';
import { readCommand, readQuery } from './api-bodies.js';
import type { ReloadedView } from './reload-view.js';

/** What the API needs. */
export interface ApiOptions {
  readonly runtime: RuntimeApi;
  readonly lifecycle: LifecycleApi;
  readonly notifier: NotifyApi;
  /** Dry: tells what a reload would change. */
  readonly reload: (how: { readonly dryRun: boolean }) => Promise<ReloadedView>;
  readonly logger: Logger;
  readonly identify: Identify;
  readonly tokens: TokenApi;
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
  Variables: { caller: Caller };
}

export type Handler = (c: Context<ApiEnv>) => Response | Promise<Response>;

/** One route: what it takes and answers, for the server and for its description. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** As hono has it: `/v1/status/:name`. */
  readonly path: string;
  /** What its caller must be allowed to do; null: it knows by itself who may ask. */
  readonly scope: Scope | null;
  /** One sentence. */
  readonly summary: string;
  /** Parameters after the `?`; any other is refused. */
  readonly query: z.ZodType;
  /** JSON, beside `author`; undefined: none. */
  readonly body: z.ZodType | undefined;
  /** Headers that it reads, each with what it is for. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON of that schema, or text of that media type. */
  readonly answer: z.ZodType | string;
  /** Of the body, which is read as far as that. */
  readonly maxBodyBytes: number;
  /** Longest time for it, ms; undefined: that of the API, null: none. */
  readonly deadlineMs: number | null | undefined;
  readonly handle: Handler;
}

/** What a route is asked. */
export interface ApiRequest<Query, Body> {
  /** Parts of the path by name, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** Who asks, as the journal records it. */
  readonly author: string;
  /** Address from which it came; empty on the daemon's socket. */
  readonly peer: string;
  header(name: string): string | undefined;
}

/** What every route says of itself. */
interface Described {
  readonly path: string;
  readonly scope: Scope | null;
  readonly summary: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number | null;
}

type Schema = z.ZodType | undefined;
type Parsed<S extends Schema> = S extends z.ZodType ? z.output<S> : Record<never, never>;

/** A value as JSON carries it: the members that a schema names, and nothing to be written to. */
type Wire<T> = T extends readonly (infer Element)[]
  ? readonly Wire<Element>[]
  : T extends object
    ? { readonly [Key in keyof T as string extends Key ? never : Key]: Wire<T[Key]> }
    : T;
type Reply<S extends z.ZodType> = Wire<z.input<S>> | Promise<Wire<z.input<S>>>;

const NOTHING = z.strictObject({});

/** A question; it changes nothing. */
export function get<Answer extends z.ZodType, Query extends Schema = undefined>(
  route: Described & {
    /** Default: there are no parameters. */
    readonly query?: Query;
    readonly answer: Answer;
    readonly handle: (request: ApiRequest<Parsed<Query>, undefined>) => Reply<Answer>;
  },
): Route {
  return answering('GET', route);
}

/** A command. Its body may name an author, which is not in the schema: `request.author` says who it is. */
export function post<Answer extends z.ZodType, Body extends Schema = undefined>(
  route: Described & {
    /** Default: an object without members. */
    readonly body?: Body;
    /** Default 64 KiB. */
    readonly maxBodyBytes?: number;
    readonly answer: Answer;
    readonly handle: (request: ApiRequest<Record<never, never>, Parsed<Body>>) => Reply<Answer>;
  },
): Route {
  return answering('POST', route);
}

/** A question whose answer is no JSON. */
export function getText<Query extends Schema = undefined>(
  route: Described & {
    /** Default: there are no parameters. */
    readonly query?: Query;
    readonly mediaType: string;
    readonly handle: (c: Context<ApiEnv>, query: Parsed<Query>) => Response | Promise<Response>;
  },
): Route {
  return answeringText(route);
}

interface AnsweringText extends Described {
  readonly query?: Schema;
  readonly mediaType: string;
  // A method, so that each route may ask for what its own schema gives.
  handle(c: Context<ApiEnv>, query: unknown): Response | Promise<Response>;
}

function answeringText(route: AnsweringText): Route {
  const described = shape('GET', route);
  const handle: Handler = (c) => route.handle(c, readQuery(c.req.query(), described.query));
  return { ...described, body: undefined, maxBodyBytes: 0, answer: route.mediaType, handle };
}

interface Answering extends Described {
  readonly query?: Schema;
  readonly body?: Schema;
  readonly maxBodyBytes?: number;
  readonly answer: z.ZodType;
  // A method, so that each route may ask for what its own schemas give.
  handle(request: ApiRequest<unknown, unknown>): unknown;
}

function answering(method: Route['method'], route: Answering): Route {
  const { answer } = route;
  const described = shape(method, route);
  const body = method === 'POST' ? (route.body ?? NOTHING) : undefined;
  const maxBodyBytes = body === undefined ? 0 : (route.maxBodyBytes ?? MAX_BODY_BYTES);
  const handle: Handler = async (c) => {
    const query = readQuery(c.req.query(), described.query);
    const command = body && (await readCommand(c.env.incoming, body, maxBodyBytes));
    const request = {
      params: c.req.param(),
      query,
      body: command?.body,
      author: authorOf(c.get('caller'), command?.author),
      peer: c.env.incoming.socket.remoteAddress ?? '',
      header: (name: string) => c.req.header(name),
    };
    return c.body(JSON.stringify(await route.handle(request)), 200, { 'content-type': JSON_TYPE });
  };
  return { ...described, body, maxBodyBytes, answer, handle };
}

const JSON_TYPE = 'application/json';
const MAX_BODY_BYTES = 64 * 1024;

function shape(method: Route['method'], route: Described & { readonly query?: Schema }) {
  const { path, scope, summary, headers = {}, deadlineMs, query = NOTHING } = route;
  return { method, path, scope, summary, headers, deadlineMs, query };
}

/** A route about one VM, which is named with or without its namespace. `path` has `:vm` where the VM stands. */
export function aboutVm(route: Route): Route[] {
  return [':name', ':namespace/:name'].map((vm) => ({ ...route, path: route.path.replace(':vm', vm) }));
}

type Params = Pick<ApiRequest<unknown, unknown>, 'params'>;

/** The VM as the path names it: `namespace/name`, or a name that only one has. */
export function nameInPath({ params: { namespace, name = '' } }: Params): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The VM of the path. Throws ERR_VMPULSE_VM_UNKNOWN, or ERR_VMPULSE_ARGUMENT where the name is ambiguous. */
export function vmInPath(request: Params, runtime: RuntimeApi): VmId {
  return runtime.resolveVm(nameInPath(request));
}

/** The VM of a body or a query; left out: null, all VMs. */
export function vmOrAll(vm: string | undefined, runtime: RuntimeApi): VmId | null {
  return vm === undefined ? null : runtime.resolveVm(vm);
}
