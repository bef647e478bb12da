import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { ReplayReport } from '../../sim/replay/replay.js';
import type { Cli } from '../cli.js';
import { EXIT } from '../exit-codes.js';
import { type FormatOptions, plain, show } from '../format.js';
import type { TriedPolicy } from './simulate.js';

/** `vmpulse simulate --record FILE`. Errors: ERR_VMPULSE_ARGUMENT for a file that cannot be read or is no export. */
export async function replayRecord(
  cli: Cli,
  file: string,
  tried: TriedPolicy | undefined,
  format: FormatOptions,
): Promise<void> {
  const { Replay } = await import('../../sim/replay/replay.js');
  const replay = new Replay(tried === undefined ? {} : { policy: tried.policy, recoveryOf: tried.of });
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
      if (line !== '') replay.take(line);
  } catch (error) {
    if (isVmpulseError(error)) throw error;
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `${plainText(file, 4096)} cannot be replayed: ${errorMessage(error)}`,
    );
  }
  const report = replay.report();
  await show(cli, format, plain(report), reportText);
  cli.setExitCode(report.diverged.length === 0 ? EXIT.ok : EXIT.failed);
}

function reportText(report: ReplayReport): string {
  const { entries, skipped, fromMs, toMs, vms, daemonStarts, sameActions, diverged } = report;
  if (fromMs === null || toMs === null)
    return `no start of a daemon is in the ${entries} entries, and without one nothing can be replayed; export a longer time\n`;
  const first = `replayed ${utc(fromMs)} to ${utc(toMs)}: ${vms} VMs, ${daemonStarts} starts of the daemon, ${sameActions} actions the same\n`;
  const before = skipped === 0 ? '' : `${skipped} entries before the first start of a daemon were left out\n`;
  const lines = diverged.map(
    ({ vm, atMs, recorded, replayed }) =>
      `${utc(atMs)} ${plainText(vm)} diverged: then ${recorded ?? 'nothing'}, now ${replayed ?? 'nothing'}\n`,
  );
  return `${first}${before}${lines.join('') || 'no VM diverged\n'}`;
}

function utc(ms: number): string {
  return new Date(ms).toISOString();
}
