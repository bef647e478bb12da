import type { ConfigurationAnswer, OverrideAnswer } from '../../daemon/answers/configuration.js';
import { plainText } from '../../model/plain-text.js';
import { table } from './table.js';

/** `vmpulse config show`. */
export function configurationText({ settings, overrides, setAside }: ConfigurationAnswer): string {
  const rows = settings.map(({ path, value, origin }) => [
    plainText(path),
    valueText(value),
    plainText(origin, 400),
  ]);
  const lines = [
    ...overrides.map((each) => `set at run time: ${overrideText(each)}\n`),
    ...setAside.map(
      ({ override, why }) => `! set aside: ${overrideText(override)}: ${plainText(why, 2000)}\n`,
    ),
  ];
  return `${table(['SETTING', 'VALUE', 'FROM'], rows)}${lines.length === 0 ? '' : '\n'}${lines.join('')}`;
}

/** A value in one line, as a document has it. */
export function valueText(value: unknown): string {
  return plainText(typeof value === 'string' ? value : JSON.stringify(value), 400);
}

/** One setting that was set at run time, with who, until when and why. */
export function overrideText({ vm, path, value, author, reason, untilMs }: OverrideAnswer): string {
  const whose = vm === null ? '' : ` of ${vm}`;
  const until = untilMs === null ? '' : ` until ${new Date(untilMs).toISOString()}`;
  const what = value === null ? 'removed' : `= ${valueText(value)}`;
  const why = reason === '' ? '' : `: ${reason}`;
  return plainText(`${path}${whose} ${what} by ${author}${until}${why}`, 1000);
}
