import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptDownload, withPackageLists } from './apt.mjs';
import { findProgram, run } from './run.mjs';

/** Debian's package, unpacked and not installed: no service is started. */
const FOLDER = fileURLToPath(new URL('../../.lab/prometheus/', import.meta.url));
const PROGRAMS = ['prometheus', 'promtool'];

/**
 * Path of a program of Prometheus: what set-up unpacked, else what the system has; undefined where it is missing.
 *
 * @param {'prometheus' | 'promtool'} name
 * @returns {string | undefined}
 */
export function prometheusProgram(name) {
  const unpacked = join(FOLDER, 'usr/bin', name);
  return existsSync(unpacked) ? unpacked : findProgram(name);
}

/** Whether all of them are there. */
export function prometheusPresent() {
  return PROGRAMS.every((name) => prometheusProgram(name) !== undefined);
}

/**
 * Fetches and unpacks them.
 *
 * @param {(line: string) => void} log
 */
export async function unpackPrometheus(log) {
  await mkdir(FOLDER, { recursive: true });
  await withPackageLists(log, () => aptDownload(['prometheus'], FOLDER, log));
  for (const name of await readdir(FOLDER)) {
    if (!name.endsWith('.deb')) continue;
    await run('dpkg-deb', ['--extract', join(FOLDER, name), FOLDER]);
    await rm(join(FOLDER, name));
  }
}
