import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import {
  type ExecutionAnswer,
  executionAnswer,
  type PlanPreviewAnswer,
  planPreviewAnswer,
} from '../daemon/answers/lifecycle.js';
import { isErrorCode, VmpulseError } from '../model/errors.js';
import { author, type Cli } from './cli.js';
import type { DaemonClient } from './client.js';
import { EXIT } from './exit-codes.js';
import { type Answer, answersOf, asCame } from './format.js';

type Action = ExecutionAnswer['actions'][number];
type ExecutionCame = z.input<typeof executionAnswer>;
type ActionCame = ExecutionCame['actions'][number];

const LOOK_MS = 200;

/** Gives the daemon a plan and waits for its end; `tell` hears of each action that ends. */
export async function runPlan(
  client: DaemonClient,
  plan: object,
  tell: (action: Action) => void,
): Promise<Answer<ExecutionAnswer, ExecutionCame>> {
  let answer = await client.post('/v1/plans', { ...plan, author: author() }, asCame(executionAnswer));
  const told = new Set<string>();
  for (;;) {
    const view = answer.shown;
    for (const action of view.actions) {
      if (told.has(action.operationId) || ['PENDING', 'RUNNING'].includes(action.status)) continue;
      told.add(action.operationId);
      tell(action);
    }
    if (view.status !== 'PENDING' && view.status !== 'RUNNING') return answer;
    await delay(LOOK_MS);
    answer = await client.get(`/v1/plans/${encodeURIComponent(view.executionId)}`, asCame(executionAnswer));
  }
}

/** What a plan would do. Changes nothing. */
export function previewPlan(client: DaemonClient, plan: object): Promise<PlanPreviewAnswer> {
  return client.post('/v1/plans', { ...plan, dry_run: true, author: author() }, planPreviewAnswer);
}

/** A plan of one action, which is done once: whoever asks again asks anew. */
export function actionPlan(verb: string, reason: string | undefined, action: object): object {
  return {
    idempotency_key: `${verb}-${randomUUID()}`,
    reason: reason ?? `vmpulse vm ${verb}`,
    actions: [{ operation_id: verb, ...action }],
  };
}

/** What such a plan would do. Throws what is wrong with it already. */
export async function previewAction(client: DaemonClient, plan: object): Promise<string> {
  const { actions } = await previewPlan(client, plan);
  const would = actions[0]?.would ?? 'nothing';
  const refused = /^refused: (.*)$/s.exec(would)?.[1];
  if (refused !== undefined) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', refused);
  return would;
}

/** Has it done, and waits for its end. Throws what it failed with. */
export async function runAction(client: DaemonClient, plan: object): Promise<Answer<Action, ActionCame>> {
  const { data, shown } = await runPlan(client, plan, () => {});
  const [action] = answersOf(data.actions, shown.actions);
  if (action?.shown.status === 'SUCCEEDED') return action;
  const { code, message } = action?.shown.error ?? {
    code: '',
    message: 'the plan has ended without a result',
  };
  throw new VmpulseError(isErrorCode(code) ? code : 'ERR_VMPULSE_INTERNAL', message);
}

interface ActionResult {
  readonly vm: string;
  readonly text: string;
  readonly status: string;
}

/** What became of an action, as commands about VMs print it for programs. */
export function resultOf({ vmId, status, text }: ActionCame): ActionResult {
  return { vm: vmId, text: `${vmId}: ${text}`, status };
}

/** One line of what became of an action. */
export function actionText(action: Action): string {
  const { operationId, operation, vmId, status, text, error } = action;
  const how = error === null ? text : `${error.message} [${error.code}]`;
  return `${status} ${operationId} ${operation} ${vmId}${how === '' ? '' : `: ${how}`}\n`;
}

/** Runs a plan, tells how it goes, and sets the exit status. */
export async function runPlanAndTell(client: DaemonClient, cli: Cli, plan: object): Promise<void> {
  const { shown } = await runPlan(client, plan, (action) => cli.stdout.write(actionText(action)));
  const { planId, executionId, attempt, status } = shown;
  cli.stdout.write(`plan ${planId} ${status} (execution ${executionId}, attempt ${attempt})\n`);
  if (status !== 'SUCCEEDED') cli.setExitCode(EXIT.failed);
}
