import type { CallOptions } from '../model/ports.js';
import { type ChildEnd, runChild } from '../probes/command/child.js';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const OUTPUT_BYTES = 1024 * 1024;

/** Runs a program of this host that only tells something; its first 1 MiB. Rejects where it is missing. */
export function runTool(argv: readonly string[], { deadlineMs, signal }: CallOptions): Promise<ChildEnd> {
  const timeout = AbortSignal.timeout(deadlineMs);
  const env = { PATH: SEARCH_PATH, LANG: 'C.UTF-8' };
  const ended = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  return runChild({ argv, cwd: '/', env, signal: ended, keptBytes: OUTPUT_BYTES });
}
