import { recoveryPolicyAnswer } from '../answers/recovery.js';
import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

/** How failures of a VM are answered, and which document says so. */
export function policyRoutes({ runtime }: ApiOptions): Route[] {
  return aboutVm(
    get({
      path: '/v1/policy/:vm',
      scope: 'read',
      summary: 'How failures of a VM are answered, and who said so.',
      answer: recoveryPolicyAnswer,
      handle: (request) => runtime.recoveryPolicy(vmInPath(request, runtime)),
    }),
  );
}
