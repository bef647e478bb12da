import { holdsAnswer } from '../answers/recovery.js';
import { holdFields, vmBody, vmField } from '../api-bodies.js';
import { type ApiOptions, post, type Route, vmOrAll } from '../api-route.js';

/** Without `vm` all VMs; without `forMs` until resumed. */
const holdBody = holdFields.extend({ vm: vmField });

/** Holding recovery, of one VM or of all, and letting it go on. */
export function recoveryRoutes({ runtime }: ApiOptions): Route[] {
  return [
    post({
      path: '/v1/recovery/hold',
      scope: 'operate',
      summary: 'Holds recovery of one VM, or of all.',
      body: holdBody,
      answer: holdsAnswer,
      handle: async ({ body: { vm, reason, forMs = null }, author }) => {
        await runtime.hold({ vm: vmOrAll(vm, runtime), reason, author, forMs });
        return { holds: runtime.view().holds };
      },
    }),
    post({
      path: '/v1/recovery/resume',
      scope: 'operate',
      summary: 'Withdraws a hold.',
      body: vmBody,
      answer: holdsAnswer,
      handle: async ({ body: { vm }, author }) => {
        await runtime.resume({ vm: vmOrAll(vm, runtime), author });
        return { holds: runtime.view().holds };
      },
    }),
  ];
}
