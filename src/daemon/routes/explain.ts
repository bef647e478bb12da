import { explainAnswer } from '../answers/explain.js';
import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

/** Why a VM is as it is, and what comes next. */
export function explainRoutes({ runtime }: ApiOptions): Route[] {
  return aboutVm(
    get({
      path: '/v1/explain/:vm',
      scope: 'read',
      summary: 'Why a VM is as it is, and what comes next.',
      answer: explainAnswer,
      handle: (request) => runtime.explain(vmInPath(request, runtime)),
    }),
  );
}
