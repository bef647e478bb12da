import { type Command, Option } from 'commander';
import { HEALTH_CHECK_TYPES } from '../../config/health-check.js';
import { configurationAnswer } from '../../daemon/answers/configuration.js';
import { VmpulseError } from '../../model/errors.js';
import { requireYes, yesOption } from '../changes.js';
import { type Cli, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { healthCheckChanges, type WantedCheck } from '../health-check-changes.js';
import { inParallel } from '../in-parallel.js';
import { parseTime, trueOrFalse, wholeNumber } from '../option-parsers.js';
import {
  chooseVms,
  healthOption,
  isOpen,
  type Selection,
  tagOption,
  tellIfNone,
  vmsArgument,
} from '../selectors.js';
import { type ChangeOptions, changeSettings, withChangeOptions } from './config-change.js';

interface UpdateOptions extends ChangeOptions, Selection {
  readonly yes?: true;
  readonly healthCheck?: string;
  readonly healthCheckType?: string;
  readonly healthCheckPort?: number;
  readonly healthCheckPath?: string;
  readonly healthCheckPattern?: string;
  readonly healthCheckCommand?: string;
  readonly healthCheckTimeout?: number;
  readonly healthCheckInterval?: number;
  readonly healthCheckSuccessThreshold?: number;
  readonly healthCheckFailureThreshold?: number;
  readonly healthCheckEnabled?: boolean;
}

const AT_ONCE = 4;
const MAX_THRESHOLD = 1_000;

/** `vmpulse vm update`. */
export function addUpdate(vm: Command, cli: Cli): void {
  const command = vm
    .command('update')
    .description(
      'Changes the health check of VMs while the daemon runs, as vmpulse config set does: of all that are chosen, or of none. A VM that has none gets one, which counts for its health.',
    )
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .option('--health-check <probe>', 'name of the probe that is meant; default the one the VM has')
    .addOption(new Option('--health-check-type <type>', 'what is asked').choices([...HEALTH_CHECK_TYPES]))
    .option('--health-check-port <port>', 'port of the VM', wholeNumber(1, 65_535))
    .option('--health-check-path <path>', 'path of the request')
    .option('--health-check-pattern <regex>', 'console: what must be seen')
    .option(
      '--health-check-command <command>',
      'script: program and arguments in the guest, with spaces between',
    )
    .option('--health-check-timeout <time>', 'longest time for one attempt', parseTime)
    .option('--health-check-interval <time>', 'time between two attempts', parseTime)
    .option(
      '--health-check-success-threshold <count>',
      'successes in a row that make it well',
      wholeNumber(1, MAX_THRESHOLD),
    )
    .option(
      '--health-check-failure-threshold <count>',
      'failures in a row that make it failed',
      wholeNumber(1, MAX_THRESHOLD),
    )
    .option(
      '--health-check-enabled <boolean>',
      'false: all probes of the VM but those of its process',
      trueOrFalse,
    );
  withChangeOptions(command)
    .addOption(yesOption())
    .addHelpText(
      'after',
      examples(
        [
          'vmpulse vm update web-1 --health-check-type http --health-check-port 80 --health-check-path /health',
          'what is asked',
        ],
        ['vmpulse vm update --tag web --health-check-timeout 5s --yes', 'all VMs with that label'],
        ['vmpulse vm update web-1 --health-check-enabled false --for 2h', 'not asked for two hours'],
      ),
    )
    .action((names: readonly string[], options: UpdateOptions, self) =>
      withDaemon(self, cli, async (client) => {
        const wanted = wantedOf(options);
        const chosen = (await chooseVms(client, names, options)).map(({ shown }) => shown.id);
        tellIfNone(cli, chosen);
        if (!options.dryRun)
          await requireYes(cli, options, { verb: 'update', vms: chosen, open: isOpen(names, options) });
        const changes = await inParallel(chosen, AT_ONCE, async (id) => {
          const { settings } = await client.get(vmPath('/v1/config', id), configurationAnswer);
          return healthCheckChanges(id, settings, wanted);
        });
        await changeSettings(client, cli, changes.flat(), options);
      }),
    );
}

function wantedOf(options: UpdateOptions): WantedCheck {
  const wanted: WantedCheck = {
    probe: options.healthCheck,
    type: options.healthCheckType,
    port: options.healthCheckPort,
    path: options.healthCheckPath,
    pattern: options.healthCheckPattern,
    command: options.healthCheckCommand?.split(/\s+/).filter((word) => word !== ''),
    timeoutMs: options.healthCheckTimeout,
    intervalMs: options.healthCheckInterval,
    successThreshold: options.healthCheckSuccessThreshold,
    failureThreshold: options.healthCheckFailureThreshold,
    enabled: options.healthCheckEnabled,
  };
  const { probe: _, ...said } = wanted;
  if (Object.values(said).some((value) => value !== undefined)) return wanted;
  throw new VmpulseError(
    'ERR_VMPULSE_USAGE',
    'nothing is to be changed; give one of the --health-check-… options',
  );
}
