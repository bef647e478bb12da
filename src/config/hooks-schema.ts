import { z } from 'zod';
import { given } from '../model/given.js';
import {
  DEFAULT_HOOK_SETTINGS,
  HOOK_EVENTS,
  type Hook,
  type HookEvent,
  type HookProgram,
  type HookSettings,
} from '../model/hook.js';
import { argvField, userField } from '../probes/command/options.js';
import { absolutePathField, booleanField, countField, textField } from '../probes/fields.js';
import { durationField } from './fields.js';

const MAX_HOOKS = 64;
const MAX_COMMAND_CHARS = 4096;

/** What one hook is, without its event; also the body of the API. */
export const hookFields = z.strictObject({
  file: absolutePathField.optional(),
  argv: argvField.optional(),
  command: textField({ unit: 'command line', example: 'logger -t vm "$1: $2"' }, (text) => {
    if (text.trim() === '') return 'is empty; write what the shell is to run';
    if (text.includes('\0')) return 'has a NUL character; leave it out';
    return text.length > MAX_COMMAND_CHARS
      ? `is longer than ${MAX_COMMAND_CHARS} characters; put it into a file`
      : undefined;
  }).optional(),
  shell: booleanField.optional(),
  user: userField.optional(),
  timeout: durationField('30s', 100).optional(),
});

type WrittenHook = z.output<typeof hookFields>;

/** What no single field shows; undefined: nothing is wrong. */
export function hookProblem({ file, argv, command, shell }: WrittenHook): string | undefined {
  const programs = [file, argv, command].filter((program) => program !== undefined).length;
  if (programs !== 1) return 'runs one program; write one of file, argv and command';
  if (command !== undefined && shell !== true)
    return 'is read by a shell, which must be asked for; add shell: true, or write argv';
  if (command === undefined && shell === true)
    return 'has no command line for the shell; write it as command, or leave shell out';
  return undefined;
}

const hookEntry = hookFields
  .extend({ event: z.enum(HOOK_EVENTS).meta({ unit: 'choice', example: 'pre-start' }) })
  .superRefine((written, ctx) => {
    const message = hookProblem(written);
    if (message !== undefined) ctx.addIssue({ code: 'custom', message, path: [] });
  });

/** Hooks in the order in which they are run. */
export const hooksSchema = z.array(hookEntry).max(MAX_HOOKS);

/** The hooks of all VMs of the host. */
export const hostHooksSchema = z.strictObject({
  timeout: durationField('30s', 100).optional(),
  concurrency: countField({ unit: 'count', example: '4' }, 1, 64).optional(),
  global: hooksSchema.optional(),
});

/** A hook with no problem. */
export function buildHook(event: HookEvent, written: WrittenHook): Hook {
  const { user, timeout } = written;
  return {
    event,
    run: programOf(written),
    ...given({ user, timeoutMs: timeout }),
  };
}

function programOf({ file, argv, command = '' }: WrittenHook): HookProgram {
  if (file !== undefined) return { file };
  return argv === undefined ? { shell: command } : { argv };
}

export function buildHooks(written: z.output<typeof hooksSchema> = []): readonly Hook[] {
  return written.map((hook) => buildHook(hook.event, hook));
}

export function buildHookSettings(written: z.output<typeof hostHooksSchema> = {}): HookSettings {
  return {
    timeoutMs: written.timeout ?? DEFAULT_HOOK_SETTINGS.timeoutMs,
    concurrency: written.concurrency ?? DEFAULT_HOOK_SETTINGS.concurrency,
    hooks: buildHooks(written.global),
  };
}
