import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';

const name = (maxChars: number) =>
  z.string().regex(new RegExp(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,${maxChars - 1}}$`), 'is no name');

const common = {
  operation_id: name(128),
  /** `namespace/name`, a name that only one VM has, or its UUID. */
  vm_id: name(256),
  timeout_seconds: z.int().min(1).max(86_400).optional(),
};

const create = z.strictObject({
  ...common,
  operation: z.literal('CREATE'),
  /** Where vm_id is a UUID: the name of the VM. */
  name: name(63).optional(),
  namespace: name(63).optional(),
  vcpu_count: z.int().min(1).max(1024).optional(),
  memory_mib: z.int().min(1).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  run_strategy: z.enum(['Always', 'RerunOnFailure', 'Once', 'Manual', 'Halted']).default('Manual'),
  /** Members of `spec.hypervisor` of the host document; what is above is filled in. */
  hypervisor: z.record(z.string(), z.unknown()).optional(),
  /** Further members of `spec` of the host document. */
  host: z.record(z.string(), z.unknown()).optional(),
  start: z.boolean().default(false),
});

const simple = <const Operation extends string>(operation: Operation) =>
  z.strictObject({ ...common, operation: z.literal(operation) });

const action = z.discriminatedUnion('operation', [
  create,
  simple('START'),
  z.strictObject({ ...common, operation: z.literal('STOP'), force: z.boolean().default(false) }),
  z.strictObject({
    ...common,
    operation: z.literal('RECREATE'),
    force: z.boolean().default(false),
    delete_disks: z.boolean().default(false),
  }),
  z.strictObject({ ...common, operation: z.literal('RESTART'), force: z.boolean().default(false) }),
  simple('RESET'),
  simple('PAUSE'),
  simple('RESUME'),
  z.strictObject({ ...common, operation: z.literal('SNAPSHOT'), snapshot_name: name(64).optional() }),
  z.strictObject({
    ...common,
    operation: z.literal('DELETE'),
    force: z.boolean().default(false),
    delete_disks: z.boolean().default(false),
  }),
]);

export const planSchema = z
  .strictObject({
    plan_id: name(128).optional(),
    idempotency_key: name(256),
    reason: z.string().trim().min(1).max(500).optional(),
    actions: z.array(action).min(1).max(100),
  })
  .refine(({ actions }) => new Set(actions.map((each) => each.operation_id)).size === actions.length, {
    message: 'has an operation_id twice; give each action its own',
    path: ['actions'],
  });

/** What is to be done, in order; docs/reference/plan.md has every member. */
export type Plan = z.output<typeof planSchema>;
export type PlanAction = Plan['actions'][number];
export type CreateAction = z.output<typeof create>;

/** Throws ERR_VMPULSE_ARGUMENT naming each wrong member. */
export function parsePlan(value: unknown): Plan {
  const checked = planSchema.safeParse(value);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'plan'}: ${message}`);
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `the plan does not fit: ${problems.join('; ')}; docs/reference/plan.md has what there is`,
  );
}
