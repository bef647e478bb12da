import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

/** How failures of a VM are answered, and which document says so. */
export function policyRoutes({ runtime }: ApiOptions): Route[] {
  return aboutVm(get('/v1/policy/:vm', (c) => c.json(runtime.recoveryPolicy(vmInPath(c, runtime)))));
}
