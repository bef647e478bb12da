import { setTimeout as delay } from 'node:timers/promises';
import { type ExecutionAnswer, executionAnswer } from '../daemon/answers/lifecycle.js';
import { author, type Cli } from './cli.js';
import type { DaemonClient } from './client.js';
import { EXIT } from './exit-codes.js';

const LOOK_MS = 200;

/** Gives the daemon a plan and waits for its end; `tell` hears of each action that ends. */
export async function runPlan(
  client: DaemonClient,
  plan: object,
  tell: (action: ExecutionAnswer['actions'][number]) => void,
): Promise<ExecutionAnswer> {
  let view = await client.post('/v1/plans', { ...plan, author: author() }, executionAnswer);
  const told = new Set<string>();
  for (;;) {
    for (const action of view.actions) {
      if (told.has(action.operationId) || ['PENDING', 'RUNNING'].includes(action.status)) continue;
      told.add(action.operationId);
      tell(action);
    }
    if (view.status !== 'PENDING' && view.status !== 'RUNNING') return view;
    await delay(LOOK_MS);
    view = await client.get(`/v1/plans/${encodeURIComponent(view.executionId)}`, executionAnswer);
  }
}

/** One line of what became of an action. */
export function actionText(action: ExecutionAnswer['actions'][number]): string {
  const { operationId, operation, vmId, status, text, error } = action;
  const how = error === null ? text : `${error.message} [${error.code}]`;
  return `${status} ${operationId} ${operation} ${vmId}${how === '' ? '' : `: ${how}`}\n`;
}

/** Runs a plan, tells how it goes, and sets the exit status. */
export async function runPlanAndTell(client: DaemonClient, cli: Cli, plan: object): Promise<void> {
  const view = await runPlan(client, plan, (action) => cli.stdout.write(actionText(action)));
  const { planId, executionId, attempt, status } = view;
  cli.stdout.write(`plan ${planId} ${status} (execution ${executionId}, attempt ${attempt})\n`);
  if (status !== 'SUCCEEDED') cli.setExitCode(EXIT.failed);
}
