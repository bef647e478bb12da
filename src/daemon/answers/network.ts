import { z } from 'zod';
import { names, oneOf, shown } from './shown.js';

const problem = z.looseObject({
  fault: shown,
  device: shown.nullable(),
  vm: shown.nullable(),
  text: shown,
  canRepair: z.boolean(),
});

export const networkAnswer = z.looseObject({
  networks: z.array(
    z.looseObject({ bridge: shown, address: shown.optional(), nat: z.boolean(), uplink: shown.optional() }),
  ),
  problems: z.array(problem),
});

export const repairAnswer = z.looseObject({ done: names, problems: z.array(problem) });

const groupPolicy = oneOf(['accept', 'drop']);

export const groupsAnswer = z.looseObject({
  groups: z.array(
    z.looseObject({
      name: shown,
      policy: groupPolicy.nullable(),
      rules: z.array(
        z.looseObject({
          id: shown,
          sourceCidr: shown.nullable(),
          protocol: oneOf(['tcp', 'udp', 'icmp', 'any']),
          port: z.number().nullable(),
          toPort: z.number().nullable(),
          comment: shown,
          author: shown,
          addedAtMs: z.number(),
        }),
      ),
    }),
  ),
  effective: z.looseObject({ vm: shown, policy: groupPolicy }).nullable(),
});

export type NetworkAnswer = z.output<typeof networkAnswer>;
export type GroupsAnswer = z.output<typeof groupsAnswer>;
