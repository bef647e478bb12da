import { type CheckNowAnswer, checkNowAnswer } from '../daemon/answers/checks.js';
import { type Cli, printError, vmPath } from './cli.js';
import type { DaemonClient } from './client.js';
import { EXIT } from './exit-codes.js';
import { type Answer, asCame } from './format.js';
import { inParallel } from './in-parallel.js';
import { withProgress } from './progress.js';

const AT_ONCE = 8;
/** Beside the slowest probe, which has a minute. */
const DEADLINE_MS = 80_000;

/**
 * Has every probe of those VMs asked at once. What cannot be asked is told, and left out; then, and where a probe has failed,
 * the exit status is 1.
 */
export async function checkNow(
  client: DaemonClient,
  cli: Cli,
  vms: readonly string[],
): Promise<Answer<CheckNowAnswer>[]> {
  const asked = await withProgress(cli, 'asking the probes', vms.length, ({ step }) =>
    inParallel(vms, AT_ONCE, async (vm) => {
      const path = `${vmPath('/v1/vms', vm)}/check`;
      const answer = await client
        .post(path, {}, asCame(checkNowAnswer), DEADLINE_MS)
        .catch((error: unknown) => {
          if (vms.length === 1) throw error;
          printError(cli, error, false, vm);
          return undefined;
        });
      step();
      return answer;
    }),
  );
  const answers = asked.filter((answer) => answer !== undefined);
  const failed = answers.some(({ shown }) =>
    shown.results.some(({ outcome }) => outcome.result === 'failed'),
  );
  if (failed || answers.length < asked.length) cli.setExitCode(EXIT.failed);
  return answers;
}
