import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { LifecycleApi } from '../lifecycle/index.js';
import { VmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import type { ReloadView, RuntimeApi } from '../runtime/views.js';

/** What the API needs. */
export interface ApiOptions {
  readonly runtime: RuntimeApi;
  readonly lifecycle: LifecycleApi;
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

export type Handler = (c: Context<ApiEnv>) => Response | Promise<Response>;

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: Handler;
  /** Longest time for it, ms; default that of the API, null: none. */
  readonly deadlineMs?: number | null;
}

export function get(path: string, handle: Handler): Route {
  return { method: 'GET', path, handle };
}

export function post(path: string, handle: Handler): Route {
  return { method: 'POST', path, handle };
}

/** A route about one VM, which is named with or without its namespace. `path` has `:vm` where the VM stands. */
export function aboutVm(route: Route): Route[] {
  return [':name', ':namespace/:name'].map((vm) => ({ ...route, path: route.path.replace(':vm', vm) }));
}

/** The VM as the path names it: `namespace/name`, or a name that only one has. */
export function nameInPath(c: Context<ApiEnv>): string {
  const [namespace, name = ''] = [c.req.param('namespace'), c.req.param('name')];
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The VM of the path. Throws ERR_VMPULSE_VM_UNKNOWN, or ERR_VMPULSE_ARGUMENT where the name is ambiguous. */
export function vmInPath(c: Context<ApiEnv>, runtime: RuntimeApi): VmId {
  return runtime.resolveVm(nameInPath(c));
}

/** The VM of a body; left out: null, all VMs. */
export function vmOrAll(vm: string | undefined, runtime: RuntimeApi): VmId | null {
  return vm === undefined ? null : runtime.resolveVm(vm);
}

/** A whole number of the query. Throws ERR_VMPULSE_ARGUMENT for anything else, and above `max`. */
export function wholeQuery(c: Context<ApiEnv>, name: string, usual: number, max: number): number {
  const text = c.req.query(name);
  if (text === undefined) return usual;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value <= max) return value;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `?${name}= must be a whole number up to ${max}`);
}
