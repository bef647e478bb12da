import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

/** Every VM, and each alone, as `vmpulse status` shows them. */
export function statusRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get('/v1/status', (c) => c.json(runtime.view())),
    ...aboutVm(get('/v1/status/:vm', (c) => c.json(runtime.viewVm(vmInPath(c, runtime))))),
  ];
}
