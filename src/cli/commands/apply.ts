import { applyAnswer, type PlanPreviewAnswer, planPreviewAnswer } from '../../daemon/answers/lifecycle.js';
import { VmpulseError } from '../../model/errors.js';
import { type ChangeOptions, dryRunOption } from '../changes.js';
import { author, type Cli, type CliCommand, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { readDocumentFiles, readJsonFile } from '../document-files.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';
import { oneMore } from '../option-parsers.js';
import { needs } from '../option-rules.js';
import { withProgress } from '../progress.js';
import { runPlan, runPlanAndTell } from '../run-plan.js';
import { applyText } from '../text/apply-text.js';

interface ApplyOptions extends ChangeOptions {
  readonly filename?: readonly string[];
  readonly plan?: string;
  readonly prune?: true;
}

/** `vmpulse apply`. */
export const applyCommand: CliCommand = {
  register(program, cli) {
    const apply = program
      .command('apply')
      .summary('give the daemon documents of VMs, or a plan of what is to be done to them')
      .description(
        'Validates manifests, host documents and policies together with those that the daemon has, stores them in its state directory and has them take effect: all of them, or none. No VM is stopped or restarted by that. What stands in the folders of the configuration is kept by hand and is not replaced. With --plan, has VMs created, started, stopped and so on, once.',
      )
      .option(
        '-f, --filename <path>',
        'a file, or a directory of *.yaml, *.yml and *.json; may be repeated',
        oneMore,
      )
      .option('--plan <file>', 'a plan (JSON) of what is to be done to VMs, instead of documents')
      .option(
        '--prune',
        'remove what was applied before and is not in these files; its VMs run on, unwatched',
      )
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse apply -f web.yaml --dry-run', 'what would change?'],
          ['vmpulse apply -f vms/ --prune', 'the documents of the folder, and no others'],
          ['vmpulse apply --plan plan.json', 'create, start, stop … VMs, once'],
        ),
      )
      .action((options: ApplyOptions, command) => {
        const { filename, plan } = options;
        if ((filename === undefined) === (plan === undefined))
          throw new VmpulseError('ERR_VMPULSE_USAGE', 'name documents with -f, or one plan with --plan');
        return withDaemon(command, cli, (client) =>
          plan === undefined
            ? applyDocuments(client, cli, filename ?? [], options)
            : applyPlan(client, cli, readJsonFile(plan), options),
        );
      });
    needs(apply, '--prune', '--filename');
  },
};

async function applyDocuments(
  client: DaemonClient,
  cli: Cli,
  paths: readonly string[],
  options: ApplyOptions,
): Promise<void> {
  const body = {
    files: readDocumentFiles(paths),
    prune: options.prune === true,
    dryRun: options.dryRun === true,
    author: author(),
  };
  await show(cli, options, await client.post('/v1/apply', body, asCame(applyAnswer)), applyText);
}

async function applyPlan(client: DaemonClient, cli: Cli, plan: object, options: ApplyOptions): Promise<void> {
  if (options.dryRun) {
    const body = { ...plan, dry_run: true, author: author() };
    await show(cli, options, await client.post('/v1/plans', body, asCame(planPreviewAnswer)), previewText);
    return;
  }
  if (options.format === 'table') return runPlanAndTell(client, cli, plan);
  const answer = await withProgress(cli, 'the plan is carried out', 1, () => runPlan(client, plan, () => {}));
  await show(cli, options, answer, () => '');
  if (answer.shown.status !== 'SUCCEEDED') cli.setExitCode(EXIT.failed);
}

function previewText({ actions }: PlanPreviewAnswer): string {
  const lines = actions.map(({ operationId, would }) => `${operationId}: ${would}\n`);
  return `${lines.join('')}nothing done (--dry-run)\n`;
}
