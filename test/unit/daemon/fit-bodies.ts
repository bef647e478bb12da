const plan = {
  idempotency_key: 'k',
  dry_run: false,
  actions: [{ operation_id: 'a', operation: 'STOP', vm_id: 'web-1' }],
};

/** A body that each command takes, by its path without the namespace; commands that are not here get an empty one. */
export const FIT_BODIES: ReadonlyMap<string, object> = new Map(
  Object.entries({
    '/v1/apply': { files: [], dryRun: true },
    '/v1/plans': plan,
    '/v1/recovery/hold': { reason: 'r' },
    '/v1/recovery/resume': {},
    '/v1/security-groups/add-rule': { rule: { port: 80 } },
    '/v1/security-groups/remove-rule': { id: 'r1' },
    '/v1/security-groups/policy': { policy: null },
    '/v1/vms/{name}/release': {},
    '/v1/vms/{name}/maintenance': { reason: 'r' },
    '/v1/vms/{name}/end-maintenance': {},
    '/v1/vms/{name}/schedule': { step: 'reboot', reason: 'r' },
    '/v1/vms/{name}/exec': { argv: ['true'], timeoutMs: 1000 },
    '/v1/vms/{name}/resize': { memoryMiB: 1, relative: true },
    '/v1/vms/{name}/console': {},
    '/v1/vms/{name}/heartbeat': {},
    '/v1/vms/{name}/heartbeat-token': {},
    '/v1/sites/{site}/plans': plan,
  }),
);

/** The body for an operation, as FIT_BODIES has it. */
export function fitBody(path: string): object | undefined {
  return FIT_BODIES.get(path.replace('{namespace}/', ''));
}
