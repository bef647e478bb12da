import { plainText } from './plain-text.js';

/** What a hook can be run at. */
export const HOOK_EVENTS = [
  'pre-start',
  'post-start',
  'pre-stop',
  'post-stop',
  'on-failure',
  'on-recovery',
] as const;

export type HookEvent = (typeof HOOK_EVENTS)[number];

/** What a hook runs. Only `shell` is read by a shell. */
export type HookProgram =
  /** A program or script; it gets the VM's name, the reason and the time as its arguments. */
  | { readonly file: string }
  /** A program with just these arguments. */
  | { readonly argv: readonly string[] }
  /** A command line for /bin/sh; name, reason and time are $1, $2 and $3. */
  | { readonly shell: string };

export interface Hook {
  readonly event: HookEvent;
  readonly run: HookProgram;
  /** Whom it runs as; unset: as the daemon does. */
  readonly user?: string;
  /** Unset: what the host says. */
  readonly timeoutMs?: number;
}

/** The hooks of a host and how they are run. */
export interface HookSettings {
  /** Longest time of one run, ms; default 30000. */
  readonly timeoutMs: number;
  /** Hooks that nothing waits for (post-*, on-*) at once; default 4. */
  readonly concurrency: number;
  /** Run for every VM, after its own. */
  readonly hooks: readonly Hook[];
}

export const DEFAULT_HOOK_SETTINGS: HookSettings = { timeoutMs: 30_000, concurrency: 4, hooks: [] };

/** The program as a person would type it. */
export function hookText(run: HookProgram): string {
  if ('file' in run) return plainText(run.file, 300);
  return plainText('argv' in run ? run.argv.join(' ') : `sh -c '${run.shell}'`, 300);
}
