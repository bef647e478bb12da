import { join } from 'node:path';
import type { Imported } from '../../config/index.js';
import { plainText } from '../../model/plain-text.js';

/** `vmpulse config import`: what was written, what was not taken over, and what to do next. */
export function importText(
  { files, taken, notTaken, commands }: Imported,
  folder: string | undefined,
): string {
  const shown =
    folder === undefined
      ? files.map(
          ({ path, text }) =>
            `# ${path}\n${text
              .split('\n')
              .map((line) => plainText(line, 4096))
              .join('\n')}`,
        )
      : files.map(({ path }) => `written: ${plainText(join(folder, path), 1000)}\n`);
  const refused = notTaken.map(({ place: { file, line, column }, path, why }) =>
    plainText(`  ${file}:${line}:${column}${path === '' ? '' : ` ${path}`}: ${why}`, 2000),
  );
  return [
    ...shown,
    `taken over: ${plainText(taken.join(', ') || 'nothing', 4000)}\n`,
    refused.length === 0 ? 'everything has a counterpart\n' : `not taken over:\n${refused.join('\n')}\n`,
    'recovery stays switched off. Next:\n',
    ...commands.map(([command, what]) => `  ${plainText(command, 2000)}  # ${what}\n`),
  ].join('');
}
