import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { manPages } from './man-pages.mjs';

/**
 * The manual pages of a built vmpulse.
 *
 * @param {string} root its folder, with `dist` and `package.json`
 * @returns {Promise<Map<string, string>>} by the name of their file
 */
export async function manPagesOf(root) {
  const built = (/** @type {string} */ name) => import(pathToFileURL(join(root, 'dist/cli', name)).href);
  const [{ describedProgram }, { EXIT, EXIT_MEANINGS }] = await Promise.all([
    built('program.js'),
    built('exit-codes.js'),
  ]);
  const program = await describedProgram();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const exitStatuses = Object.fromEntries(
    Object.entries(EXIT).map(([name, status]) => [status, EXIT_MEANINGS[name]]),
  );
  return manPages(program, { version, date: today(), exitStatuses });
}

/** Of the build, or as whoever builds packages that are always the same wants it. */
function today() {
  const { SOURCE_DATE_EPOCH: seconds } = process.env;
  const date = seconds === undefined ? new Date() : new Date(Number(seconds) * 1_000);
  return date.toISOString().slice(0, 10);
}
