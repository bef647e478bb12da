import { z } from 'zod';
import type { Outcome } from '../../../model/outcome.js';

/** Nobody asked for these: the guest is off, was stopped by its watchdog or by a failure of the VMM. */
const NOT_RUNNING: readonly string[] = ['shutdown', 'watchdog', 'internal-error'];

const queryStatus = z.object({ running: z.boolean(), status: z.string() });

/**
 * Judges the `return` value of QEMU's `query-status` for a probe that expects `running`. A state that this version does
 * not know is ok if the VM runs: a new name is no evidence of a fault. Every other known state was made on purpose, or
 * is a step of an operation under way.
 */
export function runStateOutcome(value: unknown): Outcome {
  const answer = queryStatus.safeParse(value);
  if (!answer.success) return { result: 'failed', reason: 'api-error' };
  const { running, status } = answer.data;
  if (status === 'running') return { result: 'ok' };
  if (status === 'guest-panicked') return { result: 'failed', reason: 'guest-panicked' };
  if (status === 'io-error') return { result: 'failed', reason: 'io-error' };
  if (NOT_RUNNING.includes(status)) return { result: 'failed', reason: 'vm-not-running' };
  return running && !ON_PURPOSE.includes(status)
    ? { result: 'ok' }
    : { result: 'inconclusive', reason: 'suspended' };
}

const restAnswer = z.object({ body: z.object({ state: z.string() }) });

/**
 * Judges the answer of Cloud Hypervisor to `vm.info`, or of Firecracker to `GET /`, for a probe that expects the VM to
 * run. `Created` is what Cloud Hypervisor says of a VM that was shut down. Paused, stopped at a break point, or a state
 * that this version does not know: someone did this on purpose.
 */
export function restStateOutcome(value: unknown): Outcome {
  const answer = restAnswer.safeParse(value);
  if (!answer.success) return { result: 'failed', reason: 'api-error' };
  const { state } = answer.data.body;
  if (state === 'Running') return { result: 'ok' };
  return REST_NOT_RUNNING.includes(state)
    ? { result: 'failed', reason: 'vm-not-running' }
    : { result: 'inconclusive', reason: 'suspended' };
}

const REST_NOT_RUNNING: readonly string[] = ['Created', 'Shutdown', 'Not started'];

const ON_PURPOSE: readonly string[] = [
  'debug',
  'inmigrate',
  'paused',
  'postmigrate',
  'prelaunch',
  'finish-migrate',
  'restore-vm',
  'save-vm',
  'suspended',
  'colo',
];
