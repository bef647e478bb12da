import { plainText } from '../../model/plain-text.js';
import { sizeOf } from '../../sim/fleet-size.js';
import type { Finding } from '../../sim/judge.js';
import type { RunOptions } from '../../sim/run-seeds.js';
import { simulateSeed } from '../../sim/simulate.js';
import { Tally } from '../../sim/totals.js';
import type { Output } from '../cli.js';

/** What led to a finding about a host is told of all its VMs, from this long before on. */
const BEFORE_MS = 3_600_000;

interface Line {
  readonly atMs: number;
  readonly host: string;
  readonly vm: string | null;
  readonly text: string;
}

/** Runs the seeds in this thread and tells what happened to the VMs and hosts that something was found about. */
export async function tellSeeds(
  stream: Output,
  options: Omit<RunOptions, 'signal' | 'onSeed'>,
): Promise<Tally> {
  const { fromSeed, toSeed, fleet, ...rest } = options;
  const tally = new Tally();
  for (let seed = fromSeed; seed <= toSeed; seed++) {
    const lines: Line[] = [];
    const report = await simulateSeed(
      { ...rest, ...sizeOf(seed, fleet), seed },
      { onStory: (atMs, host, vm, text) => lines.push({ atMs, host, vm, text }) },
    );
    tally.add(report);
    const { findings } = report;
    for (const vm of new Set(findings.flatMap((one) => one.vm ?? [])))
      tell(stream, `seed ${seed}, ${vm}`, storyOfVm(lines, vm));
    for (const host of new Set(findings.flatMap((one) => (one.vm === null ? one.host : []))))
      tell(stream, `seed ${seed}, ${host}`, storyOfHost(lines, host, findings));
  }
  return tally;
}

/** All of it, with what happened to its host. */
function storyOfVm(lines: readonly Line[], vm: string): readonly Line[] {
  const host = lines.find((line) => line.vm === vm)?.host;
  return lines.filter((line) => line.vm === vm || (line.vm === null && line.host === host));
}

/** What happened to the host, and to its VMs in the hour before something was found. */
function storyOfHost(lines: readonly Line[], host: string, findings: readonly Finding[]): readonly Line[] {
  const ends = findings.filter((one) => one.vm === null && one.host === host).map(({ atMs }) => atMs);
  const isNear = (atMs: number) => ends.some((endMs) => atMs <= endMs && atMs > endMs - BEFORE_MS);
  return lines.filter((line) => line.host === host && (line.vm === null || isNear(line.atMs)));
}

function tell(stream: Output, title: string, lines: readonly Line[]): void {
  stream.write(`${title}\n`);
  for (const { atMs, host, vm, text } of lines)
    stream.write(`  ${new Date(atMs).toISOString()} ${vm ?? host}: ${plainText(text, 1000)}\n`);
}
