import type { ChangeAnswer } from '../../daemon/answers/configuration.js';
import { plainText } from '../../model/plain-text.js';
import { overrideText } from './configuration-text.js';

const MAX_SHOWN = 20;

/** What a change of settings did. */
export function changeText({ dryRun, set, withdrawn, vms, restartRequired }: ChangeAnswer): string {
  const replaced = new Set(set.map(({ vm, path }) => `${vm} ${path}`));
  const gone = withdrawn.filter(({ vm, path }) => !replaced.has(`${vm} ${path}`));
  const lines = [
    ...shorten(set.map((each) => `+ ${overrideText(each)}`)),
    ...shorten(gone.map((each) => `- ${overrideText(each)}`)),
    ...shorten(vms.map(({ id, what }) => `~ ${plainText(id)}: ${plainText(what.join(', '), 200)}`)),
    ...restartRequired.map((name) => `! ${plainText(name)} holds only after the daemon has been restarted`),
  ];
  if (set.length + gone.length === 0) lines.push('nothing was set there');
  if (dryRun) lines.push('nothing done (--dry-run)');
  return `${lines.join('\n')}\n`;
}

function shorten(lines: readonly string[]): readonly string[] {
  if (lines.length <= MAX_SHOWN) return lines;
  return [...lines.slice(0, MAX_SHOWN), `… and ${lines.length - MAX_SHOWN} more`];
}
