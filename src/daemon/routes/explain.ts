import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

/** Why a VM is as it is, and what comes next. */
export function explainRoutes({ runtime }: ApiOptions): Route[] {
  return aboutVm(get('/v1/explain/:vm', async (c) => c.json(await runtime.explain(vmInPath(c, runtime)))));
}
