import { errorMessage } from '../../model/errors.js';
import { type Hook, hookText } from '../../model/hook.js';
import { plainText } from '../../model/plain-text.js';
import { type ChildEnd, runChildOrLeave } from '../../probes/command/child.js';
import type { HookOccasion } from './occasion.js';
import { chooseRunner } from './trusted-file.js';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SHELL = '/bin/sh';
const MESSAGE_CHARS = 300;

/** How one run of a hook ended. */
export interface HookResult {
  /** `refused`: it was not run. */
  readonly result: 'done' | 'failed' | 'timeout' | 'refused';
  /** For a person, for example `exit status 1: ERROR: Shared storage not mounted`. */
  readonly text: string;
  readonly tookMs: number;
  /** The first 4 KiB of each. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface HookCall {
  readonly occasion: HookOccasion;
  readonly timeoutMs: number;
  /** Withdraws it. */
  readonly signal: AbortSignal;
  /** It runs; what is returned is called once it has ended, which one that hangs in the kernel never does. */
  readonly onSpawn: (pid: number) => () => void;
}

/**
 * Runs one hook to its end or its limit, whichever comes first, and never rejects. It has a process group of its own,
 * of which nobody is left after it but who hangs in the kernel.
 */
export async function runHook(hook: Hook, call: HookCall): Promise<HookResult> {
  const startedAtMs = performance.now();
  const ended = (part: Omit<HookResult, 'tookMs'>): HookResult => ({
    ...part,
    tookMs: Math.round(performance.now() - startedAtMs),
  });
  const quiet = { stdout: '', stderr: '' };
  const late = AbortSignal.timeout(call.timeoutMs);
  const signal = AbortSignal.any([late, call.signal]);
  try {
    const argv = argvOf(hook, call.occasion);
    const { user, refused } = await chooseRunner(argv[0] ?? '', hook.user, signal);
    if (refused !== undefined) return ended({ result: 'refused', text: plainText(refused, 500), ...quiet });
    const env = { PATH, LANG: 'C.UTF-8', ...call.occasion.environment(call.timeoutMs) };
    let forget = () => {};
    const onSpawn = (pid: number) => {
      forget = call.onSpawn(pid);
    };
    const end = await runChildOrLeave({ argv, cwd: '/', env, user, signal, onSpawn });
    if (end !== undefined) forget();
    if (late.aborted) {
      const how = end === undefined ? ', not even when it was killed' : ' and was ended';
      const text = `did not end within ${call.timeoutMs / 1000} s${how}`;
      return ended({ result: 'timeout', text, stdout: end?.stdout ?? '', stderr: end?.stderr ?? '' });
    }
    if (end === undefined || call.signal.aborted)
      return ended({ result: 'failed', text: 'was withdrawn', ...quiet });
    const { stdout, stderr } = end;
    return ended({ result: end.code === 0 ? 'done' : 'failed', text: textOf(end), stdout, stderr });
  } catch (error) {
    if (late.aborted) {
      const text = `was not begun within ${call.timeoutMs / 1000} s`;
      return ended({ result: 'timeout', text, ...quiet });
    }
    const text = plainText(`cannot be run: ${errorMessage(error)}`, 500);
    return ended({ result: call.signal.aborted ? 'failed' : 'refused', text, ...quiet });
  }
}

/** Why a hook would be refused if it were run now; undefined: it would not be. Errors of chooseRunner. */
export async function refusalOf({ run, user }: Hook, signal: AbortSignal): Promise<string | undefined> {
  return (await chooseRunner(programOf(run), user, signal)).refused;
}

function programOf(run: Hook['run']): string {
  if ('file' in run) return run.file;
  return 'argv' in run ? (run.argv[0] ?? '') : SHELL;
}

/** The program with its arguments, as it is executed. */
function argvOf({ run }: Hook, { args }: HookOccasion): readonly string[] {
  if ('file' in run) return [run.file, ...args];
  return 'argv' in run ? run.argv : [SHELL, '-c', run.shell, 'vmpulse-hook', ...args];
}

function textOf({ code, endedBy, stdout, stderr }: ChildEnd): string {
  const how = endedBy === null ? `exit status ${code}` : `ended by ${endedBy}`;
  const said = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
  return code === 0 || said === '' ? how : plainText(`${how}: ${said}`, MESSAGE_CHARS);
}

/** Names a hook in messages: `pre-start hook /etc/vmpulse/hooks/mounted`. */
export function hookName(hook: Hook): string {
  return `${hook.event} hook ${hookText(hook.run)}`;
}
