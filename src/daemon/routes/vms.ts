import { z } from 'zod';
import { SCHEDULABLE } from '../../model/action.js';
import { tokenAnswer } from '../answers/guests.js';
import { vmAnswer } from '../answers/status.js';
import { holdFields, reasonField } from '../api-bodies.js';
import { type ApiOptions, aboutVm, post, type Route, vmInPath } from '../api-route.js';

const scheduleBody = z.strictObject({ step: z.enum(SCHEDULABLE), reason: reasonField });

/** Commands about one VM; most answer the VM as it then is. */
export function vmRoutes({ runtime }: ApiOptions): Route[] {
  return [
    post({
      path: '/v1/vms/:vm/heartbeat-token',
      scope: 'admin',
      summary: "Makes a new token for the VM's heartbeats.",
      answer: tokenAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        return { vm, token: await runtime.issueHeartbeatToken({ vm, author: request.author }) };
      },
    }),
    post({
      path: '/v1/vms/:vm/release',
      scope: 'operate',
      summary: 'Lets a VM out of quarantine.',
      answer: vmAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        await runtime.release({ vm, author: request.author });
        return runtime.viewVm(vm);
      },
    }),
    post({
      path: '/v1/vms/:vm/maintenance',
      scope: 'operate',
      summary: 'A person works on the VM: nothing is done to it.',
      body: holdFields,
      answer: vmAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        const { reason, forMs = null } = request.body;
        await runtime.beginMaintenance({ vm, reason, author: request.author, forMs });
        return runtime.viewVm(vm);
      },
    }),
    post({
      path: '/v1/vms/:vm/schedule',
      scope: 'operate',
      summary: 'Maintenance to be done once, in an action window.',
      body: scheduleBody,
      answer: vmAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        await runtime.schedule({ vm, ...request.body, author: request.author });
        return runtime.viewVm(vm);
      },
    }),
    post({
      path: '/v1/vms/:vm/end-maintenance',
      scope: 'operate',
      summary: 'Recovery of the VM goes on.',
      answer: vmAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        await runtime.endMaintenance({ vm, author: request.author });
        return runtime.viewVm(vm);
      },
    }),
  ].flatMap(aboutVm);
}
