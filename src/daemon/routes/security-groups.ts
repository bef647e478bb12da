import { z } from 'zod';
import { newRuleSchema } from '../../network/index.js';
import { groupsAnswer } from '../answers/network.js';
import { vmBody, vmQuery } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

/** Without `vm` the group `default`. */
const addBody = vmBody.extend({ rule: newRuleSchema });
const removeBody = vmBody.extend({ id: z.string().min(1).max(16) });
const policyBody = vmBody.extend({ policy: z.enum(['accept', 'drop']).nullable() });

/** Who may reach which VM. */
export function securityGroupRoutes({ runtime }: ApiOptions): Route[] {
  const { network } = runtime;
  return [
    get({
      path: '/v1/security-groups',
      scope: 'read',
      summary: 'All security groups, or those that hold for one VM.',
      query: vmQuery,
      answer: groupsAnswer,
      handle: ({ query: { vm } }) => network.groups(vmOrAll(vm, runtime)),
    }),
    post({
      path: '/v1/security-groups/add-rule',
      scope: 'admin',
      summary: 'Adds a rule to the group of the VM, or to `default`.',
      body: addBody,
      answer: groupsAnswer,
      handle: ({ body: { vm, rule }, author }) => network.addRule({ vm: vmOrAll(vm, runtime), rule, author }),
    }),
    post({
      path: '/v1/security-groups/remove-rule',
      scope: 'admin',
      summary: 'Removes a rule.',
      body: removeBody,
      answer: groupsAnswer,
      handle: ({ body: { vm, id }, author }) => network.removeRule({ vm: vmOrAll(vm, runtime), id, author }),
    }),
    post({
      path: '/v1/security-groups/policy',
      scope: 'admin',
      summary: 'Sets what becomes of what no rule lets through.',
      body: policyBody,
      answer: groupsAnswer,
      handle: ({ body: { vm, policy }, author }) =>
        network.setPolicy({ vm: vmOrAll(vm, runtime), policy, author }),
    }),
  ];
}
