import { z } from 'zod';
import { newRuleSchema } from '../../network/index.js';
import { authorField, readBody, vmField } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

/** Without `vm` the group `default`. */
const addBody = z.strictObject({ vm: vmField, rule: newRuleSchema, author: authorField });
const removeBody = z.strictObject({ vm: vmField, id: z.string().min(1).max(16), author: authorField });
const policyBody = z.strictObject({
  vm: vmField,
  policy: z.enum(['accept', 'drop']).nullable(),
  author: authorField,
});

/** Who may reach which VM. */
export function securityGroupRoutes({ runtime }: ApiOptions): Route[] {
  const { network } = runtime;
  return [
    get('/v1/security-groups', (c) => c.json(network.groups(vmOrAll(c.req.query('vm'), runtime)))),
    post('/v1/security-groups/add-rule', async (c) => {
      const { vm, rule, author } = await readBody(c.env.incoming, addBody);
      return c.json(await network.addRule({ vm: vmOrAll(vm, runtime), rule, author }));
    }),
    post('/v1/security-groups/remove-rule', async (c) => {
      const { vm, id, author } = await readBody(c.env.incoming, removeBody);
      return c.json(await network.removeRule({ vm: vmOrAll(vm, runtime), id, author }));
    }),
    post('/v1/security-groups/policy', async (c) => {
      const { vm, policy, author } = await readBody(c.env.incoming, policyBody);
      return c.json(await network.setPolicy({ vm: vmOrAll(vm, runtime), policy, author }));
    }),
  ];
}
