import { z } from 'zod';
import { buildHook, hookFields, hookProblem } from '../../config/index.js';
import { VmpulseError } from '../../model/errors.js';
import { HOOK_EVENTS } from '../../model/hook.js';
import { hookLogAnswer, hooksAnswer, hookTestAnswer } from '../answers/hooks.js';
import { vmField, vmQuery, wholeField } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

const eventField = z.enum(HOOK_EVENTS);
/** Without `vm` for every VM. */
const addBody = hookFields.extend({ vm: vmField, event: eventField });
const removeBody = z.strictObject({ id: z.string().min(1).max(16) });
const testBody = z.strictObject({ vm: vmField.unwrap(), event: eventField });
const logQuery = vmQuery.extend({ limit: wholeField(20, 1000) });

/** Programs that are run at events of VMs. They run as the daemon does: whoever adds one may do everything. */
export function hookRoutes({ runtime, signal }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/hooks',
      scope: 'read',
      summary: 'The hooks of one VM in the order in which they are run, or all.',
      query: vmQuery,
      answer: hooksAnswer,
      handle: ({ query: { vm } }) => ({ hooks: runtime.hooks.list(vmOrAll(vm, runtime) ?? undefined) }),
    }),
    post({
      path: '/v1/hooks/add',
      scope: 'admin',
      summary: 'Adds a hook to one VM, or to all.',
      body: addBody,
      answer: hooksAnswer,
      handle: async ({ body: { vm, event, ...written }, author }) => {
        const problem = hookProblem(written);
        if (problem !== undefined) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `the hook ${problem}`);
        const added = { vm: vmOrAll(vm, runtime), hook: buildHook(event, written), author };
        return { hooks: [await runtime.hooks.add(added)] };
      },
    }),
    post({
      path: '/v1/hooks/remove',
      scope: 'admin',
      summary: 'Removes a hook that was added.',
      body: removeBody,
      answer: hooksAnswer,
      handle: async ({ body: { id }, author }) => {
        await runtime.hooks.remove({ id, author });
        return { hooks: runtime.hooks.list(undefined) };
      },
    }),
    post({
      path: '/v1/hooks/test',
      scope: 'admin',
      summary: 'Runs the hooks of an event as if it had happened.',
      body: testBody,
      answer: hookTestAnswer,
      // Each hook has a limit of its own.
      deadlineMs: null,
      handle: async ({ body: { vm, event }, author }) => ({
        runs: await runtime.hooks.test({ vm: runtime.resolveVm(vm), event, author, signal }),
      }),
    }),
    get({
      path: '/v1/hooks/logs',
      scope: 'admin',
      summary: 'The last runs of hooks of one VM, or of all, with what they wrote.',
      query: logQuery,
      answer: hookLogAnswer,
      handle: async ({ query: { vm, limit } }) => ({
        runs: await runtime.hooks.logs({ vm: vmOrAll(vm, runtime) ?? undefined, limit }),
      }),
    }),
  ];
}
