import { hostAnswer, vmAnswer } from '../answers/status.js';
import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

/** Every VM, and each alone, as `vmpulse status` shows them. */
export function statusRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/status',
      scope: 'read',
      summary: 'The host with every VM.',
      answer: hostAnswer,
      handle: () => runtime.view(),
    }),
    ...aboutVm(
      get({
        path: '/v1/status/:vm',
        scope: 'read',
        summary: 'One VM.',
        answer: vmAnswer,
        handle: (request) => runtime.viewVm(vmInPath(request, runtime)),
      }),
    ),
  ];
}
