import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Demand } from '../../doctor/index.js';
import { errorMessage, isVmpulseError } from '../../model/errors.js';
import { type CliCommand, paintOf } from '../cli.js';
import { DEFAULT_CONFIG } from '../environment.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { withProgress } from '../progress.js';
import { doctorText } from '../text/doctor-text.js';

interface DoctorOptions extends FormatOptions {
  readonly config?: string;
}

/** `vmpulse doctor`. */
export const doctorCommand: CliCommand = {
  register(program, cli) {
    program
      .command('doctor')
      .summary('is this host fit for its VMs?')
      .description(
        'Looks at everything of this host that VMs and probes need and tells what is wrong, why it matters and how it is changed. Changes nothing itself. Exit status 1 only if there is an error; what is missing and optional is told, no more.',
      )
      .option(
        '--config <file>',
        `compare with what this configuration asks for; default ${DEFAULT_CONFIG}, if it is there`,
      )
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse doctor', 'everything'],
          ['vmpulse doctor --config ./lab.yaml', 'is this host enough for that configuration?'],
          [`vmpulse doctor --json | jq -r '.findings[] | select(.severity == "error") | .fix'`, 'what to do'],
        ),
      )
      .action(async (options: DoctorOptions) => {
        const { CHECKS, realHost, runDoctor } = await import('../../doctor/index.js');
        const demand = await readDemand(options.config);
        const look = () => runDoctor({ host: realHost(), demand, checks: CHECKS });
        const report = await withProgress(cli, 'looking at the host', 1, look);
        await show(cli, options, plain(report), () => doctorText(report, paintOf(cli)));
        if (report.counts.error > 0) cli.setExitCode(EXIT.failed);
      });
  },
};

/** An invalid configuration is one finding among others. */
async function readDemand(config: string | undefined): Promise<Demand> {
  const { demandOf, demandOfDefaults } = await import('../../doctor/index.js');
  const path = resolve(config ?? DEFAULT_CONFIG);
  if (config === undefined && !existsSync(path)) return demandOfDefaults();
  const { loadConfig } = await import('../../config/index.js');
  try {
    return demandOf(path, await loadConfig(path));
  } catch (error) {
    if (isVmpulseError(error)) return demandOfDefaults(errorMessage(error));
    throw error;
  }
}
