import type { Context } from 'hono';
import { z } from 'zod';
import type { VmId } from '../../model/vm.js';
import { SCHEDULABLE } from '../../policy/index.js';
import { authorBody, authorField, holdFields, readBody, reasonField } from '../api-bodies.js';
import {
  type ApiEnv,
  type ApiOptions,
  aboutVm,
  type Handler,
  post,
  type Route,
  vmInPath,
} from '../api-route.js';

const scheduleBody = z.strictObject({ step: z.enum(SCHEDULABLE), reason: reasonField, author: authorField });

/** Commands about one VM; most answer the VM as it then is. */
export function vmRoutes({ runtime }: ApiOptions): Route[] {
  const command = (verb: string, handle: Handler): Route[] => aboutVm(post(`/v1/vms/:vm/${verb}`, handle));
  const changing = (verb: string, run: (c: Context<ApiEnv>, vm: VmId) => Promise<void>): Route[] =>
    command(verb, async (c) => {
      const vm = vmInPath(c, runtime);
      await run(c, vm);
      return c.json(runtime.viewVm(vm));
    });
  return [
    ...command('heartbeat-token', async (c) => {
      const { author } = await readBody(c.env.incoming, authorBody);
      const vm = vmInPath(c, runtime);
      return c.json({ vm, token: await runtime.issueHeartbeatToken({ vm, author }) });
    }),
    ...changing('release', async (c, vm) => {
      const { author } = await readBody(c.env.incoming, authorBody);
      await runtime.release({ vm, author });
    }),
    ...changing('maintenance', async (c, vm) => {
      const { reason, author, forMs } = await readBody(c.env.incoming, holdFields);
      await runtime.beginMaintenance({ vm, reason, author, forMs: forMs ?? null });
    }),
    ...changing('schedule', async (c, vm) => {
      await runtime.schedule({ vm, ...(await readBody(c.env.incoming, scheduleBody)) });
    }),
    ...changing('end-maintenance', async (c, vm) => {
      const { author } = await readBody(c.env.incoming, authorBody);
      await runtime.endMaintenance({ vm, author });
    }),
  ];
}
