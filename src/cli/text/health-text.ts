import type { HealthSummaryAnswer, VmHealthAnswer } from '../../daemon/answers/health.js';
import { plainText } from '../../model/plain-text.js';
import { type Paint, paintState } from './paint.js';
import { type Cell, table } from './table.js';
import { span } from './time.js';

/** One VM with what its probes said. */
export interface CheckedVm extends VmHealthAnswer {
  /** Else `results` are what they said last on their schedule. */
  readonly askedNow: boolean;
  readonly results: readonly {
    readonly probe: string;
    readonly kind: string;
    readonly result: string;
    readonly reason: string | null;
    readonly durationMs: number;
    readonly warnings: readonly string[];
    readonly details: Readonly<Record<string, string | number | boolean | null>>;
  }[];
}

export function summaryText(summary: HealthSummaryAnswer, paint: Paint): string {
  const { totalVms, monitoredVms, coverage, health, probes, unmonitored } = summary;
  const share = `${monitoredVms} of ${totalVms} VMs are monitored (${(coverage * 100).toFixed(0)} %)`;
  const healths = Object.entries(health).map(
    ([name, count]) => `${count} ${paintState(plainText(name), paint)}`,
  );
  const failed = probes.failed === 0 ? '' : `, ${paint.bad(`${probes.failed} fail`)}`;
  const blind = probes.blind === 0 ? '' : `, ${paint.warning(`${probes.blind} cannot tell`)}`;
  const lines = [
    unmonitored.length === 0 ? paint.good(share) : paint.warning(share),
    ...(healths.length === 0 ? [] : [healths.join(', ')]),
    `${probes.total} probes${failed}${blind}`,
    ...unmonitored.map(({ vm, why }) => `${paint.warning('!')} ${vm} is not monitored: ${why}`),
  ];
  return `${lines.join('\n')}\n`;
}

export function checkText(checked: CheckedVm, verbose: boolean, nowMs: number, paint: Paint): string {
  const { vm, health, sinceMs, unmonitored, results, probes } = checked;
  const head = `${paint.strong(vm)} is ${paintState(health, paint)} for ${span(nowMs - sinceMs)}\n`;
  const why = unmonitored === null ? '' : `${paint.warning('!')} it is not monitored: ${unmonitored}\n`;
  if (results.length === 0) return `${head}${why}no probes\n`;
  const rows = results.map((one): (string | Cell)[] => {
    const { probe, kind, result, reason, durationMs } = one;
    const known = probes.find(({ name }) => name === probe);
    const now = [probe, kind, resultCell(result, paint), latency(durationMs), reason ?? ''];
    if (!verbose) return now;
    const { last = null, state = '-', sinceMs: stateSinceMs = 0, streak } = known ?? {};
    const inRow = streak === undefined ? '-' : `${streak.ok}/${streak.failed}/${streak.inconclusive}`;
    return [
      ...now,
      { text: state, paint: (text) => paintState(text, paint) },
      stateSinceMs === 0 ? '-' : span(nowMs - stateSinceMs),
      last === null
        ? '-'
        : `${last.reason ?? last.result} ${latency(last.durationMs)}, ${span(nowMs - last.atMs)} ago`,
      inRow,
    ];
  });
  const header = ['PROBE', 'KIND', 'NOW', 'TOOK', 'REASON'];
  const more = verbose ? ['STATE', 'FOR', 'SAID LAST', 'OK/FAILED/UNCLEAR IN A ROW'] : [];
  return `${head}${why}\n${table([...header, ...more], rows)}${verbose ? detailText(checked, paint) : ''}`;
}

/** A line a VM, the sum at the end. */
export function checksText(vms: readonly CheckedVm[], paint: Paint): string {
  if (vms.length === 0) return '';
  const rows = vms.map(({ vm, health, askedNow, results }): (string | Cell)[] => {
    const count = (what: string) => results.filter(({ result }) => result === what).length;
    const failed = count('failed');
    return [
      vm,
      { text: health, paint: (text) => paintState(text, paint) },
      askedNow ? 'now' : 'last period',
      String(count('ok')),
      failed === 0 ? '0' : { text: String(failed), paint: paint.bad },
      String(count('inconclusive')),
      [...new Set(results.flatMap(({ reason }) => reason ?? []))].join(', '),
    ];
  });
  const failing = vms.filter(({ results }) => results.some(({ result }) => result === 'failed')).length;
  const sum = `${vms.length} VMs, ${failing} with a probe that fails\n`;
  return `${table(['VM', 'HEALTH', 'ASKED', 'OK', 'FAILED', 'UNCLEAR', 'REASONS'], rows)}\n${sum}`;
}

function detailText({ results }: CheckedVm, paint: Paint): string {
  return results
    .map(({ probe, warnings, details }) => {
      const facts = Object.entries(details).map(([name, value]) => `${name} ${plainText(String(value))}`);
      const lines = [
        ...(facts.length === 0 ? [] : [facts.join(', ')]),
        ...warnings.map((one) => `warning: ${one}`),
      ];
      return lines.map((line) => `\n${paint.faint(probe)}: ${line}`).join('');
    })
    .join('')
    .concat('\n');
}

function resultCell(result: string, paint: Paint): Cell {
  const colour = result === 'ok' ? paint.good : result === 'failed' ? paint.bad : paint.warning;
  return { text: result, paint: colour };
}

function latency(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}
