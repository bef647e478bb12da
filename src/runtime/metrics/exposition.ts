import { VmpulseError } from '../../model/errors.js';
import { escaped } from './escaped.js';

/** One line of the text format. */
export interface Sample {
  /** That of its metric, for a histogram with `_bucket`, `_sum` or `_count`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric with its samples. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const COMMENT = /^# (HELP|TYPE) (\S+) ?(.*)$/;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;
const NUMBER = /^([+-]?(\d+(\.\d*)?(e[+-]?\d+)?|Inf)|NaN)$/i;
/** Ends of a histogram's samples. */
const ENDS = /_(bucket|sum|count)$/;

/** Reads the text format of Prometheus, without time stamps. Throws ERR_VMPULSE_ARGUMENT that names the line. */
export function parseExposition(text: string): MetricFamily[] {
  const families = new Map<string, { name: string; type: string; help: string; samples: Sample[] }>();
  const familyOf = (name: string) => {
    const found = families.get(name) ?? { name, type: 'untyped', help: '', samples: [] };
    families.set(name, found);
    return found;
  };
  text.split('\n').forEach((line, index) => {
    const [, what, about = '', rest = ''] = COMMENT.exec(line) ?? [];
    if (what === 'HELP') familyOf(about).help = rest;
    if (what === 'TYPE') familyOf(about).type = rest;
    if (line === '' || line.startsWith('#')) return;
    const sample = readSample(line, index + 1);
    const base = sample.name.replace(ENDS, '');
    familyOf(families.get(base)?.type === 'histogram' ? base : sample.name).samples.push(sample);
  });
  return [...families.values()];
}

/** The same as text. */
export function writeExposition(families: readonly MetricFamily[]): string {
  return families
    .map(({ name, type, help, samples }) => {
      const lines = samples.map(
        (sample) => `${sample.name}${writeLabels(sample.labels)} ${writeValue(sample.value)}`,
      );
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
    })
    .join('');
}

function writeLabels(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function writeValue(value: number): string {
  return String(value).replace('Infinity', 'Inf');
}

function readSample(line: string, number: number): Sample {
  const [, name, labels = '', value = ''] = SAMPLE.exec(line) ?? [];
  if (name === undefined || !NUMBER.test(value)) throw unreadable(number);
  return { name, labels: readLabels(labels, number), value: readValue(value) };
}

function readLabels(text: string, line: number): Record<string, string> {
  const labels: Record<string, string> = {};
  let at = 0;
  LABEL.lastIndex = 0;
  for (let match = LABEL.exec(text); match !== null; match = LABEL.exec(text)) {
    const [whole, name = '', value = ''] = match;
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    at += whole.length;
  }
  if (at !== text.length) throw unreadable(line);
  return labels;
}

function readValue(text: string): number {
  if (text === 'NaN') return Number.NaN;
  return Number(text.replace(/Inf$/, 'Infinity'));
}

function unreadable(line: number): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ARGUMENT', `line ${line} of the metrics cannot be read`);
}
