import { z } from 'zod';
import { authorField, readBody, vmField } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

const repairBody = z.strictObject({ vm: vmField, dryRun: z.boolean().optional(), author: authorField });

/** What is wrong with the networks of the host and of its VMs, and putting it right. */
export function networkRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get('/v1/network', async (c) => c.json(await runtime.network.check(vmOrAll(c.req.query('vm'), runtime)))),
    post('/v1/network/repair', async (c) => {
      const { vm, dryRun = false, author } = await readBody(c.env.incoming, repairBody);
      return c.json(await runtime.network.repair({ vm: vmOrAll(vm, runtime), dryRun, author }));
    }),
  ];
}
