import { z } from 'zod';
import { healthSummaryAnswer, vmHealthAnswer } from '../answers/health.js';
import { type ApiOptions, aboutVm, get, post, type Route, vmInPath } from '../api-route.js';

const resetBody = z.strictObject({ clearHistory: z.boolean().default(false) });

/** How VMs are, as their probes have it. */
export function healthRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/health',
      scope: 'read',
      summary: 'How many VMs are monitored, and how they are.',
      answer: healthSummaryAnswer,
      handle: () => {
        const { health, ...summary } = runtime.health.summary();
        return { ...summary, health: { ...health } };
      },
    }),
    ...aboutVm(
      get({
        path: '/v1/vms/:vm/health',
        scope: 'read',
        summary: 'What each probe of a VM said last, when, and how often in a row.',
        answer: vmHealthAnswer,
        handle: (request) => runtime.health.of(vmInPath(request, runtime)),
      }),
    ),
    ...aboutVm(
      post({
        path: '/v1/vms/:vm/health-reset',
        scope: 'operate',
        summary: 'Thresholds of the probes of a VM start over.',
        body: resetBody,
        answer: vmHealthAnswer,
        handle: async (request) => {
          const vm = vmInPath(request, runtime);
          const { author, body } = request;
          await runtime.health.reset({ vm, author, clearHistory: body.clearHistory });
          return runtime.health.of(vm);
        },
      }),
    ),
  ];
}
