import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Option } from 'commander';
import { type Cli, type CliCommand, globalOptions, withDaemon } from '../cli.js';
import { daemonPlace } from '../daemon-place.js';
import { DEFAULT_CONFIG } from '../environment.js';
import { examples } from '../examples.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import type { Gathered } from '../gather/gather.js';
import { parseTime } from '../option-parsers.js';
import { untilInterrupted } from '../until-interrupted.js';

interface GatherCommandOptions extends FormatOptions {
  readonly output?: string;
  readonly config?: string;
  readonly last: number;
  readonly timeout: number;
}

const MISSING_SHOWN = 20;

/** `vmpulse must-gather`. */
export const mustGatherCommand: CliCommand = {
  register(program, cli) {
    program
      .command('must-gather')
      .summary('pack everything that helps to find out what is wrong')
      .description(
        'Packs configuration, state, explanations, journal, logs, metrics, facts of the host and the folders of VMs into one archive, with or without a daemon. Secrets are taken out; look it through all the same before you pass it on: guests write what they like to their consoles.',
      )
      .option('-o, --output <file>', 'default vmpulse-must-gather-HOST-TIME.tar.gz in this directory')
      .option(
        '--config <file>',
        `the configuration of the daemon, whose folders are taken; default ${DEFAULT_CONFIG}, and the folders that the daemon has`,
      )
      .addOption(
        new Option('--last <time>', 'how far back journal and log go')
          .argParser(parseTime)
          .default(parseTime('7d'), '7d'),
      )
      .addOption(
        new Option('--timeout <time>', 'what is not there by then is left out, and named')
          .argParser(parseTime)
          .default(parseTime('5m'), '5m'),
      )
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse must-gather -o incident.tar.gz', 'for whoever is to help']))
      .action(({ output, config, last, timeout, ...options }: GatherCommandOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const { gather } = await import('../gather/gather.js');
          const file = resolve(output ?? usualName());
          const isHere = 'socketPath' in daemonPlace(globalOptions(command), cli.environment);
          const asksFolders = isHere && config === undefined;
          const wanted = { client, configPath: resolve(config ?? DEFAULT_CONFIG), asksFolders, lastMs: last };
          const tell = (part: string) => progress(cli, `gathering: ${part} …`);
          const gathered = await untilInterrupted((signal) =>
            gather(file, wanted, { deadlineMs: timeout, signal, tell }),
          ).finally(() => progress(cli, ''));
          await show(cli, options, plain(gathered), gatheredText);
        }),
      );
  },
};

/** A line that is drawn over itself, for a person who waits. */
function progress({ stderr }: Cli, text: string): void {
  if (stderr.isTTY) stderr.write(`\r${text}\u001b[K`);
}

function usualName(): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  return `vmpulse-must-gather-${hostname().replace(/[^\w.-]/g, '_')}-${time}.tar.gz`;
}

function gatheredText({ file, from, bytes, files, missing }: Gathered): string {
  const whose = `of ${from.configuration}, ${from.stateDir} and ${from.runDir}`;
  const lacks = missing.slice(0, MISSING_SHOWN).map(({ name, why }) => `  not there: ${name} (${why})\n`);
  const more = missing.length > MISSING_SHOWN ? `  and ${missing.length - MISSING_SHOWN} more\n` : '';
  return `${file}: ${files} files, ${(bytes / 1024).toFixed(0)} KiB, ${whose}; manifest.json in it lists them\n${lacks.join('')}${more}`;
}
