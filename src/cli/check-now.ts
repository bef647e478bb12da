import type { z } from 'zod';
import { type CheckNowAnswer, checkNowAnswer } from '../daemon/answers/checks.js';
import { type Cli, printError, vmPath } from './cli.js';
import type { DaemonClient } from './client.js';
import { EXIT } from './exit-codes.js';
import { type Answer, asCame } from './format.js';
import { inParallel } from './in-parallel.js';
import { withProgress } from './progress.js';

/** VMs at a time; the engine bounds what is under way. */
const AT_ONCE = 8;
/** Beside the slowest probe, which has a minute. */
const DEADLINE_MS = 80_000;

/**
 * Asks about those VMs, a few at a time. Of several, what cannot be asked is told, and left out; then, and where `failed`
 * says so of an answer, the exit status is 1.
 */
export async function askVms<T>(
  cli: Cli,
  vms: readonly string[],
  ask: (vm: string) => Promise<T>,
  failed: (answer: T) => boolean,
): Promise<T[]> {
  const asked = await withProgress(cli, 'asking the probes', vms.length, ({ step, hide }) =>
    inParallel(vms, AT_ONCE, async (vm): Promise<T | undefined> => {
      try {
        return await ask(vm);
      } catch (error) {
        if (vms.length === 1) throw error;
        hide();
        printError(cli, error, false, vm);
        return undefined;
      } finally {
        step();
      }
    }),
  );
  const answers = asked.filter((answer) => answer !== undefined);
  if (answers.length < asked.length || answers.some(failed)) cli.setExitCode(EXIT.failed);
  return answers;
}

/** Has every probe of a VM asked at once. */
export function checkNow(
  client: DaemonClient,
  vm: string,
): Promise<Answer<CheckNowAnswer, z.input<typeof checkNowAnswer>>> {
  return client.post(`${vmPath('/v1/vms', vm)}/check`, {}, asCame(checkNowAnswer), DEADLINE_MS);
}

/** Whether one of the probes has failed. */
export function anyFailed({ shown }: Answer<CheckNowAnswer>): boolean {
  return shown.results.some(({ outcome }) => outcome.result === 'failed');
}
