import { z } from 'zod';
import { networkAnswer, repairAnswer } from '../answers/network.js';
import { vmBody, vmQuery } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

const repairBody = vmBody.extend({ dryRun: z.boolean().default(false) });

/** What is wrong with the networks of the host and of its VMs, and putting it right. */
export function networkRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/network',
      scope: 'read',
      summary: 'What is wrong with the networks of the host, or with those of one VM.',
      query: vmQuery,
      answer: networkAnswer,
      handle: ({ query: { vm } }) => runtime.network.check(vmOrAll(vm, runtime)),
    }),
    post({
      path: '/v1/network/repair',
      scope: 'operate',
      summary: 'Puts it right, or says what would be done.',
      body: repairBody,
      answer: repairAnswer,
      handle: ({ body: { vm, dryRun }, author }) =>
        runtime.network.repair({ vm: vmOrAll(vm, runtime), dryRun, author }),
    }),
  ];
}
