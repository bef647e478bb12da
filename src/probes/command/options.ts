import { z } from 'zod';
import { given } from '../../model/given.js';
import type { CommandOptions } from '../../model/probe.js';
import { absolutePathField, absolutePathProblem, textField } from '../fields.js';

const MAX_ARGUMENTS = 256;
const MAX_ARGUMENT_CHARS = 4096;
const USER = /^[a-z_][a-z0-9_.-]{0,31}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

export function argumentProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'has a NUL character; leave it out';
  return text.length > MAX_ARGUMENT_CHARS
    ? `is longer than ${MAX_ARGUMENT_CHARS} characters; shorten it`
    : undefined;
}

/** What is wrong with a program and its arguments; the first word that is wrong, and the message. */
export function argvProblem(argv: readonly string[]): readonly [at: number, message: string] | undefined {
  if (argv.length === 0) return undefined;
  const program = absolutePathProblem(argv[0] ?? '');
  if (program !== undefined) return [0, program];
  for (const [at, text] of argv.entries()) {
    const problem = argumentProblem(text);
    if (problem !== undefined) return [at, problem];
  }
  return undefined;
}

const variable = z
  .strictObject({
    name: textField({ unit: 'variable name', example: 'LANG' }, (text) => {
      if (!VARIABLE.test(text)) return `is not the name of a variable ("${text}"); use letters, digits and _`;
      return text.startsWith('VMPULSE_') ? 'is one of vmpulse; choose another name' : undefined;
    }),
    value: textField({ unit: 'text', example: 'C.UTF-8' }, argumentProblem),
  })
  .transform(({ name, value }): readonly [string, string] => [name, value]);

/** A program by its absolute path, with its arguments. */
export const argvField = z
  .array(z.string())
  .min(1)
  .max(MAX_ARGUMENTS)
  .superRefine((argv, ctx) => {
    const [at, message] = argvProblem(argv) ?? [];
    if (at !== undefined && message !== undefined)
      ctx.addIssue({ code: 'custom', message, path: [at], input: argv[at] });
  })
  .meta({ unit: 'list of arguments', example: '[/usr/local/bin/check, web-1]' });

export const userField = textField({ unit: 'user', example: 'nobody' }, (text) =>
  USER.test(text) ? undefined : `is not the name of a user ("${text}"); write one of this host`,
);

/** Options of a command as documents write them. */
export const commandSchema = z
  .strictObject({
    argv: argvField,
    user: userField.optional(),
    cwd: absolutePathField.optional(),
    env: z.array(variable).max(64).meta({ unit: 'list of name and value' }).optional(),
  })
  .transform(
    ({ argv, user, cwd, env = [] }): CommandOptions => ({
      argv,
      ...given({ user, cwd }),
      env,
    }),
  );
