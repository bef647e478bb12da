import { CHECK_NOW_MS } from '../../runtime/checks.js';
import { checkNowAnswer, checksAnswer } from '../answers/checks.js';
import { type ApiOptions, aboutVm, get, post, type Route, vmInPath } from '../api-route.js';

/** Beside the slowest probe. */
const SLACK_MS = 10_000;

/** Probes of a VM: how they are set, and asked at once. */
export function checkRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/vms/:vm/probes',
      scope: 'read',
      summary: 'How the probes of a VM are set, and how they stand.',
      answer: checksAnswer,
      handle: (request) => {
        const vm = vmInPath(request, runtime);
        return { vm, probes: [...runtime.checks.list(vm)] };
      },
    }),
    post({
      path: '/v1/vms/:vm/check',
      scope: 'operate',
      summary:
        'Asks each probe of a VM at once, outside its schedule: no state, threshold or recovery is touched.',
      answer: checkNowAnswer,
      deadlineMs: CHECK_NOW_MS + SLACK_MS,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        return { vm, results: [...(await runtime.checks.now(vm))] };
      },
    }),
  ].flatMap(aboutVm);
}
