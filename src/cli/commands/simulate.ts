import { InvalidArgumentError, Option } from 'commander';
import { plainText } from '../../model/plain-text.js';
import type { RecoverySpec, VmId } from '../../model/vm.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY, type PolicyConfig } from '../../policy/index.js';
import type { RunOptions } from '../../sim/run-seeds.js';
import type { SeedReport } from '../../sim/simulate.js';
import type { Tally } from '../../sim/totals.js';
import { type Cli, type CliCommand, type Output, paintOf } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { wholeNumber } from '../option-parsers.js';
import { bar, NO_PROGRESS, redrawn } from '../text/bar.js';
import { simulationText } from '../text/simulation-text.js';
import { untilInterrupted } from '../until-interrupted.js';
import { replayRecord } from './simulate-record.js';

interface SimulateOptions extends FormatOptions {
  readonly policy?: string;
  readonly vms: number;
  readonly hosts: number;
  readonly days: number;
  readonly faults: string;
  readonly seeds: readonly [from: number, to: number];
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
      .option('--vms <count>', 'VMs of a seed', wholeNumber(1, 10_000), 100)
      .option('--hosts <count>', 'hosts that they are spread over', wholeNumber(1, 100), 4)
      .option('--days <count>', 'days of a seed', wholeNumber(1, 3_650), 30)
      .option('--faults <list>', 'kinds of faults, separated by commas', 'all')
      .option('--seeds <range>', 'seeds, for example 7 or 1..100', seedRange, [1, 10])
      .addOption(
        new Option('--record <file>', 'replay what a daemon journalled, instead of simulating').conflicts([
          ...['vms', 'hosts', 'days', 'faults', 'seeds', 'verbose'],
        ]),
      )
      .option('--verbose', 'tell the story of the VMs with findings; on standard error beside JSON or YAML')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse simulate', 'ten seeds of 100 VMs for 30 days, every kind of fault'],
          ['vmpulse simulate --policy config.yaml --seeds 1..100', 'a configuration before it is used'],
          ['vmpulse simulate --policy vms.d/policies.yaml', 'recovery policies beside the defaults'],
          ['vmpulse simulate --seeds 7..7 --verbose', 'what happened in the seed that failed'],
          ['vmpulse simulate --record week.jsonl --policy new.yaml', 'what another policy would have done'],
        ),
      )
      .action((options: SimulateOptions) => simulate(cli, options));
  },
};

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
  const asked = faultKinds(kinds).map(({ name }) => name);
  const { recoveries, policy } = tried ?? BY_DEFAULT;
  if (tried !== undefined && !recoveries.some(({ enabled }) => enabled))
    cli.stderr.write(
      `vmpulse: ${plainText(options.policy ?? '', 4096)} only observes; its recovery is simulated as enabled\n`,
    );
  const setting = { vms, hosts, days, ...(kinds === undefined ? {} : { faults: kinds }), recoveries, policy };
  const [fromSeed, toSeed] = seeds;
  const tally = options.verbose
    ? await tellSeeds(options.format === 'table' ? cli.stdout : cli.stderr, { ...setting, fromSeed, toSeed })
    : await runSeeds(cli, { ...setting, fromSeed, toSeed });
  const totals = tally.totals();
  const bad = totals.missed + totals.falseRestarts + totals.invariantViolations;
  const replay = (seed: number) => replayOf(options, seed);
  const failed = tally.failed.map((one) => ({ ...one, replay: replay(one.seed) }));
  const kindsSeen = Object.fromEntries([...tally.kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
  const answer = plain({ seeds: tally.seeds, faultKinds: kindsSeen, failed, totals });
  await show(cli, options, answer, () => simulationText(tally, { kinds: asked, replay }, paintOf(cli)));
  cli.setExitCode(bad === 0 ? EXIT.ok : EXIT.failed);
}

const BY_DEFAULT = { recoveries: [DEFAULT_RECOVERY], policy: DEFAULT_POLICY_CONFIG };

/** What a daemon's configuration, or documents, say of recovery. Limits that are not said are the defaults. */
async function triedPolicy(file: string): Promise<TriedPolicy> {
  const { loadTriedRecovery } = await import('../../config/index.js');
  const { limits, recoveries, of } = await loadTriedRecovery(file);
  return { recoveries, of, policy: { ...DEFAULT_POLICY_CONFIG, ...limits } };
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

function progress(tally: Tally, count: number): string {
  const findings = tally.failedSeeds === 0 ? '' : `, ${tally.failedSeeds} with findings`;
  return `${bar(tally.seeds / count)} ${tally.seeds} of ${count} seeds${findings}`;
}

/** Runs the seeds in this thread and tells what happened to the VMs that something was found about. */
async function tellSeeds(stream: Output, options: Omit<RunOptions, 'signal' | 'onSeed'>): Promise<Tally> {
  const [{ simulateSeed }, { Tally }] = await Promise.all([
    import('../../sim/simulate.js'),
    import('../../sim/totals.js'),
  ]);
  const { fromSeed, toSeed, ...rest } = options;
  const tally = new Tally();
  for (let seed = fromSeed; seed <= toSeed; seed++) {
    const stories = new Map<string, string[]>();
    const report = await simulateSeed(
      { ...rest, seed },
      {
        onStory: (atMs, vm, text) => {
          const lines = stories.get(vm) ?? [];
          stories.set(vm, lines);
          lines.push(`${new Date(atMs).toISOString()} ${text}`);
        },
      },
    );
    tally.add(report);
    tellStories(stream, report, stories);
  }
  return tally;
}

function tellStories(
  stream: Output,
  { seed, findings }: SeedReport,
  stories: ReadonlyMap<string, string[]>,
): void {
  for (const vm of new Set(findings.flatMap((one) => one.vm ?? []))) {
    const lines = (stories.get(vm) ?? []).map((line) => `  ${plainText(line, 1000)}\n`);
    stream.write(`seed ${seed}, ${vm}\n${lines.join('')}`);
  }
}

function replayOf(options: SimulateOptions, seed: number): string {
  const { policy, vms, hosts, days, faults } = options;
  const parts = ['vmpulse simulate', `--seeds ${seed}..${seed}`, `--vms ${vms}`, `--hosts ${hosts}`];
  parts.push(`--days ${days}`);
  if (faults !== 'all') parts.push(`--faults ${faults}`);
  if (policy !== undefined) parts.push(`--policy ${policy}`);
  return `${parts.join(' ')} --verbose`;
}

/** `7` or `1..100`. */
function seedRange(text: string): [number, number] {
  const match = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2] ?? match?.[1]);
  if (match && from <= to) return [from, to];
  throw new InvalidArgumentError('Write a seed or a range such as 1..100');
}
