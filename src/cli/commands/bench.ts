import { readFile, writeFile } from 'node:fs/promises';
import { Option } from 'commander';
import { BENCH_KINDS, type BenchKind, MAX_LOOPBACK_TARGETS, parsePlaces } from '../../bench/bench-targets.js';
import type { BenchReport } from '../../bench/index.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { type Cli, type CliCommand, paintOf } from '../cli.js';
import { examples } from '../examples.js';
import { parseTime, wholeNumber } from '../option-parsers.js';
import { needs } from '../option-rules.js';
import { NO_PROGRESS } from '../text/bar.js';
import { benchText, progressLine } from '../text/bench-text.js';
import { untilInterrupted } from '../until-interrupted.js';

interface BenchFlags {
  readonly kind: BenchKind;
  readonly targets: number;
  readonly period: number;
  readonly duration: number;
  readonly targetList?: string;
  readonly perAddress: number;
  readonly json?: string;
  readonly svg?: string;
}

const DEFAULT_PER_ADDRESS = 10;

/** `vmpulse bench`. */
export const benchCommand: CliCommand = {
  register(program, cli) {
    const bench = program
      .command('bench')
      .summary('measure what probing costs on this host')
      .description(
        'Probes targets for a while and tells what it took: probes a second, CPU, lateness, memory, outcomes. The targets are addresses of loopback that a server of its own answers, or those of a list. Ctrl-C ends it early.',
      )
      .addOption(new Option('--kind <kind>', 'what is probed').choices(BENCH_KINDS).default('tcp'))
      .addOption(
        new Option('--targets <count>', 'targets on loopback')
          .argParser(wholeNumber(1, MAX_LOOPBACK_TARGETS))
          .default(10_000),
      )
      .addOption(
        new Option('--period <time>', 'each target is probed once in')
          .argParser(parseTime)
          .default(1_000, '1s'),
      )
      .addOption(
        new Option('--duration <time>', 'how long to measure').argParser(parseTime).default(30_000, '30s'),
      )
      .addOption(
        new Option(
          '--target-list <file>',
          'probe these instead: ip:port or [ipv6]:port, one a line',
        ).conflicts('targets'),
      )
      .addOption(
        new Option('--per-address <count>', 'most probes a second to one address of the list')
          .argParser(wholeNumber(1, MAX_LOOPBACK_TARGETS))
          .default(DEFAULT_PER_ADDRESS),
      )
      .option('--json <file>', 'write the result as JSON')
      .option('--svg <file>', 'write a chart of the lateness')
      .addHelpText(
        'after',
        examples(
          ['vmpulse bench', '10,000 TCP probes a second for 30 s'],
          ['vmpulse bench --kind https --targets 500 --duration 10s', 'whole TLS handshakes'],
          ['vmpulse bench --target-list vms.txt --period 5s --json now.json', 'the VMs of a list'],
        ),
      )
      .action((flags: BenchFlags) => run(cli, flags));
    needs(bench, '--per-address', '--target-list');
  },
};

async function run(cli: Cli, flags: BenchFlags): Promise<void> {
  const { kind, period, duration, perAddress, targetList } = flags;
  const targets =
    targetList === undefined ? flags.targets : parsePlaces(await readList(targetList), targetList, kind);
  const { runBench } = await import('../../bench/index.js');
  // A terminal shows how far it is; a file has only the result.
  const onTerminal = cli.stdout.isTTY === true;
  await untilInterrupted(async (signal) => {
    const report = await runBench({
      ...{ kind, targets, perAddress, signal },
      periodMs: period,
      durationMs: duration,
      onProgress: (share) => {
        if (onTerminal) cli.stderr.write(progressLine(share, duration));
      },
    });
    if (onTerminal) cli.stderr.write(NO_PROGRESS);
    cli.stdout.write(benchText(report, paintOf(cli)));
    if (flags.json !== undefined) await write(flags.json, `${JSON.stringify(report, null, 2)}\n`);
    if (flags.svg !== undefined) await write(flags.svg, await chart(report));
  });
}

async function chart(report: BenchReport): Promise<string> {
  const { barChart } = await import('../../bench/index.js');
  const { kind, probesPerSecond, cpuUsPerProbe, latenessMs } = report;
  const title = `${kind}: ${Math.round(probesPerSecond).toLocaleString('en')} probes a second, ${cpuUsPerProbe.toFixed(1)} µs CPU each; start lateness`;
  const bars = Object.entries(latenessMs).map(([label, value]) => ({ label, value, own: true }));
  return barChart(title, 'ms', bars);
}

async function readList(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new VmpulseError('ERR_VMPULSE_USAGE', `the list cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new VmpulseError('ERR_VMPULSE_USAGE', `the result cannot be written: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
