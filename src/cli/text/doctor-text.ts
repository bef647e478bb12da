import type { DoctorReport, ReportedFinding, Severity } from '../../doctor/index.js';
import { plainText } from '../../model/plain-text.js';
import type { Paint } from './paint.js';

const MARKS: Readonly<Record<Severity, readonly [mark: string, paint: keyof Paint]>> = {
  ok: ['ok', 'good'],
  info: ['-', 'faint'],
  warning: ['!', 'warning'],
  error: ['x', 'bad'],
};
const TEXT_CHARS = 2_000;

/** The report for a person: a line a finding; why and how to change it where something is wrong. */
export function doctorText({ configuration, findings, counts }: DoctorReport, paint: Paint): string {
  const width = Math.max(...findings.map((one) => nameOf(one).length));
  const lines = findings.map((one) => findingText(one, width, paint)).join('');
  const compared = configuration === null ? '' : `, compared with ${plainText(configuration, TEXT_CHARS)}`;
  const sum = `${count(counts.error, 'error')}, ${count(counts.warning, 'warning')}${compared}`;
  return `${lines}\n${counts.error > 0 ? paint.bad(sum) : counts.warning > 0 ? paint.warning(sum) : paint.good(sum)}\n`;
}

function nameOf({ id, subject }: ReportedFinding): string {
  return subject === null ? id : `${id} ${plainText(subject)}`;
}

function findingText(one: ReportedFinding, width: number, paint: Paint): string {
  const [mark, colour] = MARKS[one.severity];
  const head = `${paint[colour](mark.padStart(2))} ${nameOf(one).padEnd(width)}  ${plainText(one.seen, TEXT_CHARS)}\n`;
  const isWrong = one.severity === 'warning' || one.severity === 'error';
  const why = isWrong ? `     ${paint.faint(one.why)}\n` : '';
  const fix = one.fix === null ? '' : `     fix: ${plainText(one.fix, TEXT_CHARS)}\n`;
  return `${head}${why}${isWrong ? fix : paint.faint(fix)}`;
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? '' : 's'}`;
}
