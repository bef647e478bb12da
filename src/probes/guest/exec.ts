import { RE2JS } from 're2js';
import { z } from 'zod';
import { given } from '../../model/given.js';
import type { GuestAccess, GuestCommandResult } from '../../model/guest.js';
import { plainText } from '../../model/plain-text.js';
import type { GuestExecOptions, ProbeCheck } from '../../model/probe.js';
import { argumentProblem } from '../command/options.js';
import { patternProblem } from '../console/options.js';
import type { ExternalProbe, Finding, LookOptions } from '../external.js';
import { countField, textField } from '../fields.js';
import { defineKind } from '../probe-kind.js';
import { targetError } from '../target-text.js';
import { parseAgentTarget } from './agent-target.js';
import { findingOf, neededGuest } from './outcome.js';

type ExecCheck = Extract<ProbeCheck, { kind: 'exec' }>;

const MAX_ARGUMENTS = 256;
const MAX_MESSAGE_CHARS = 300;
const TARGET =
  'the path of the agent socket, then the program and its arguments, for example "/run/vm.qga /bin/test -e /run/ok"';

const argument = textField({ unit: 'argument', example: 'cat' }, argumentProblem);

const execSchema = z
  .strictObject({
    command: z
      .array(argument)
      .min(1)
      .max(MAX_ARGUMENTS)
      .meta({ unit: 'list of arguments', example: '[cat, /tmp/healthy]' }),
    exitCodes: z
      .array(countField({ unit: 'count', example: '0' }, 0, 255))
      .min(1)
      .max(16)
      .meta({ unit: 'list of exit codes', example: '[0, 3]' })
      .optional(),
    expectOutput: textField({ unit: 'regular expression', example: '^active$' }, patternProblem).optional(),
  })
  .transform(
    ({ command, exitCodes = [0], expectOutput }): GuestExecOptions => ({
      command,
      exitCodes,
      ...given({ expectOutput }),
    }),
  );

/** Runs a command in the guest through its agent; ok when it ends as expected. KubeVirt's exec probe. */
export const exec = defineKind<ExecCheck>({
  kind: 'exec',
  aliases: [],
  summary: 'runs a command in the guest through its agent, without a shell',
  targetHelp: TARGET,
  schema: execSchema.transform((options): ExecCheck => ({ kind: 'exec', exec: options })),
  parseTarget: (text, name) => {
    const [path = '', ...command] = text.split(/ +/).filter((word) => word !== '');
    if (command.length === 0) throw targetError(name, text, 'has no command', TARGET);
    return {
      check: { kind: 'exec', exec: { command, exitCodes: [0] } },
      channel: parseAgentTarget(path, name, TARGET),
    };
  },
  lookups: () => ({ channel: 'agent' }),
  open: ({ exec: options }, { guest }) => new ExecProbe(options, neededGuest(guest)),
  label: ({ exec: { command } }) => `command ${plainText(command.join(' '))} in the guest`,
});

class ExecProbe implements ExternalProbe {
  readonly #options: GuestExecOptions;
  readonly #guest: GuestAccess;
  readonly #expected: RE2JS | undefined;

  constructor(options: GuestExecOptions, guest: GuestAccess) {
    this.#options = options;
    this.#guest = guest;
    const { expectOutput } = options;
    if (expectOutput !== undefined) this.#expected = RE2JS.compile(expectOutput, RE2JS.MULTILINE);
  }

  async probe(options: LookOptions): Promise<Finding> {
    try {
      return this.#judge(await this.#guest.exec(this.#options.command, options));
    } catch (error) {
      return findingOf(error);
    }
  }

  #judge({ exitCode, stdout, stderr }: GuestCommandResult): Finding {
    const details = { exitCode };
    if (!this.#options.exitCodes.includes(exitCode)) {
      const said = (stderr.trim() || stdout.trim()).replaceAll('\n', ' ');
      const message = plainText(`exit status ${exitCode}${said && `: ${said}`}`, MAX_MESSAGE_CHARS);
      return { outcome: { result: 'failed', reason: 'exec-nonzero' }, message, details };
    }
    if (this.#expected !== undefined && !this.#expected.test(stdout)) {
      const message = plainText(
        `the output is not as expected: ${stdout.trim().replaceAll('\n', ' ')}`,
        MAX_MESSAGE_CHARS,
      );
      return { outcome: { result: 'failed', reason: 'bad-body' }, message, details };
    }
    return { outcome: { result: 'ok' }, details };
  }
}
