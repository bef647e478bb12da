import { Option } from 'commander';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import type { RecoverySpec, VmId } from '../../model/vm.js';
import type { PolicyConfig } from '../../policy/index.js';
import type { FleetRange, FleetSize, Range } from '../../sim/fleet-size.js';
import type { RunOptions } from '../../sim/run-seeds.js';
import type { FailedSeed, Tally } from '../../sim/totals.js';
import { type Cli, type CliCommand, paintOf } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { wholeRange } from '../option-parsers.js';
import { bar, NO_PROGRESS, redrawn } from '../text/bar.js';
import { simulationText } from '../text/simulation-text.js';
import { untilInterrupted } from '../until-interrupted.js';
import { replayRecord } from './simulate-record.js';

interface SimulateOptions extends FormatOptions, FleetRange {
  readonly policy?: string;
  readonly faults: string;
  readonly seeds: Range;
  readonly record?: string;
  readonly verbose?: true;
}

/** A policy that is tried instead of the defaults. */
export interface TriedPolicy {
  /** What simulated VMs have, in turn. */
  readonly recoveries: readonly RecoverySpec[];
  /** That of a VM of a record. */
  readonly of: (vm: VmId) => RecoverySpec;
  readonly policy: PolicyConfig;
}

/** `vmpulse simulate`. */
export const simulateCommand: CliCommand = {
  register(program, cli) {
    program
      .command('simulate')
      .summary('try the policy on simulated faults')
      .description(
        'Runs the policy and the supervisor as the daemon has them on simulated hosts, VMs and faults, years in minutes, without a daemon; exit status 1 if a fault was missed, a VM acted on without need, or an invariant broken.',
      )
      .option('--policy <file>', 'daemon configuration, or recovery policies, to be tried')
      .addOption(ofSeed('--vms <count>', 'VMs of a seed, or a range that the seed draws from', 10_000, 100))
      .addOption(ofSeed('--hosts <count>', 'hosts that they are spread over, or a range', 100, 4))
      .addOption(ofSeed('--days <count>', 'days of a seed, or a range', 3_650, 30))
      .option('--faults <list>', 'kinds of faults, separated by commas', 'all')
      .addOption(
        new Option('--seeds <range>', 'seeds, for example 7 or 1..100')
          .argParser(wholeRange(0, 999_999_999))
          .default([1, 10], '1..10'),
      )
      .addOption(
        new Option('--record <file>', 'replay what a daemon journalled, instead of simulating').conflicts([
          ...['vms', 'hosts', 'days', 'faults', 'seeds', 'verbose'],
        ]),
      )
      .option(
        '--verbose',
        'tell the story of the VMs and hosts with findings; on standard error beside JSON or YAML',
      )
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse simulate', 'ten seeds of 100 VMs for 30 days, every kind of fault'],
          ['vmpulse simulate --policy config.yaml --seeds 1..100', 'a configuration before it is used'],
          ['vmpulse simulate --policy vms.d/policies.yaml', 'recovery policies beside the defaults'],
          ['vmpulse simulate --vms 1..50 --days 1..7', 'fleets of all sizes, each seed its own'],
          ['vmpulse simulate --seeds 7..7 --verbose', 'what happened in the seed that failed'],
          ['vmpulse simulate --record week.jsonl --policy new.yaml', 'what another policy would have done'],
        ),
      )
      .action((options: SimulateOptions) => simulate(cli, options));
  },
};

function ofSeed(flags: string, description: string, most: number, usual: number): Option {
  return new Option(flags, description).argParser(wholeRange(1, most)).default([usual, usual], String(usual));
}

async function simulate(cli: Cli, options: SimulateOptions): Promise<void> {
  const { record } = options;
  const tried = options.policy === undefined ? undefined : await triedPolicy(options.policy);
  if (record !== undefined) {
    await replayRecord(cli, record, tried, options);
    return;
  }
  const { vms, hosts, days, seeds, faults } = options;
  const { faultKinds } = await import('../../sim/simulate.js');
  const kinds = faults === 'all' ? undefined : faults.split(',');
  const names = faultKinds(kinds).map(({ name }) => name);
  const { recoveries, policy } = tried ?? (await byDefault());
  if (tried !== undefined && !recoveries.some(({ enabled }) => enabled))
    cli.stderr.write(
      `vmpulse: ${plainText(options.policy ?? '', 4096)} only observes; its recovery is simulated as enabled\n`,
    );
  const fleet = { vms, hosts, days };
  const setting = { fleet, ...given({ faults: kinds }), recoveries, policy };
  const [fromSeed, toSeed] = seeds;
  const asked = { ...setting, fromSeed, toSeed };
  const tally = options.verbose ? await tellVerbosely(cli, options, asked) : await runSeeds(cli, asked);
  const totals = tally.totals();
  const bad = totals.missed + totals.falseRestarts + totals.invariantViolations;
  const replay = (failed: FailedSeed) => replayOf(options, failed);
  const failed = tally.failed.map((one) => ({ ...one, replay: replay(one) }));
  const kindsSeen = Object.fromEntries([...tally.kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
  const answer = plain({ seeds: tally.seeds, faultKinds: kindsSeen, failed, totals });
  await show(cli, options, answer, () => simulationText(tally, { kinds: names, replay }, paintOf(cli)));
  cli.setExitCode(bad === 0 ? EXIT.ok : EXIT.failed);
}

async function byDefault(): Promise<Omit<TriedPolicy, 'of'>> {
  const { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } = await import('../../policy/index.js');
  return { recoveries: [DEFAULT_RECOVERY], policy: DEFAULT_POLICY_CONFIG };
}

/** What a daemon's configuration, or documents, say of recovery. Limits that are not said are the defaults. */
async function triedPolicy(file: string): Promise<TriedPolicy> {
  const { loadTriedRecovery } = await import('../../config/index.js');
  const { limits, recoveries, of } = await loadTriedRecovery(file);
  const { policy } = await byDefault();
  return { recoveries, of, policy: { ...policy, ...limits } };
}

async function runSeeds(cli: Cli, options: Omit<RunOptions, 'signal' | 'onSeed'>): Promise<Tally> {
  const { runSeeds: run } = await import('../../sim/run-seeds.js');
  const count = options.toSeed - options.fromSeed + 1;
  const isTerminal = cli.stderr.isTTY === true;
  const bar = (tally: Tally) => cli.stderr.write(redrawn(progress(tally, count)));
  return await untilInterrupted(async (signal) => {
    const tally = await run({ ...options, signal, ...(isTerminal ? { onSeed: bar } : {}) });
    if (isTerminal) cli.stderr.write(NO_PROGRESS);
    return tally;
  });
}

async function tellVerbosely(
  cli: Cli,
  { format }: SimulateOptions,
  asked: Omit<RunOptions, 'signal' | 'onSeed'>,
): Promise<Tally> {
  const { tellSeeds } = await import('./simulate-verbose.js');
  return await tellSeeds(format === 'table' ? cli.stdout : cli.stderr, asked);
}

function progress(tally: Tally, count: number): string {
  const findings = tally.failedSeeds === 0 ? '' : `, ${tally.failedSeeds} with findings`;
  return `${bar(tally.seeds / count)} ${tally.seeds} of ${count} seeds${findings}`;
}

/** The size is the one that the seed had: drawn or not, it is the same story. */
function replayOf({ policy, faults }: SimulateOptions, { seed, size }: FailedSeed): string {
  const { vms, hosts, days }: FleetSize = size;
  const parts = ['vmpulse simulate', `--seeds ${seed}..${seed}`, `--vms ${vms}`, `--hosts ${hosts}`];
  parts.push(`--days ${days}`);
  if (faults !== 'all') parts.push(`--faults ${faults}`);
  if (policy !== undefined) parts.push(`--policy ${policy}`);
  return `${parts.join(' ')} --verbose`;
}
