import { stat } from 'node:fs/promises';
import { errnoOf, errorMessage, VmpulseError } from '../../model/errors.js';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import type { CommandOptions, ProbeCheck } from '../../model/probe.js';
import type { ExternalProbe, ExternalSetting, Finding, LookOptions } from '../external.js';
import { defineKind } from '../probe-kind.js';
import { targetError } from '../target-text.js';
import { type ChildEnd, runChild } from './child.js';
import { argvProblem, commandSchema } from './options.js';
import { chooseUser } from './user.js';

type CommandCheck = Extract<ProbeCheck, { kind: 'command' }>;

const TARGET =
  'an absolute path and arguments, divided by spaces, or as a JSON list: ["/bin/test", "-e", "/run/x"]';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MAX_MESSAGE_CHARS = 300;

/** Runs a program of the host; ok when it ends with status 0. */
export const command = defineKind<CommandCheck>({
  kind: 'command',
  aliases: ['cmd'],
  summary: 'runs a program of this host, unprivileged, without a shell',
  targetHelp: TARGET,
  schema: commandSchema.transform((options): CommandCheck => ({ kind: 'command', command: options })),
  parseTarget: (text, name) => ({
    check: { kind: 'command', command: { argv: parseArgv(text, name), env: [] } },
  }),
  lookups: () => ({}),
  open: ({ command: options }, setting) => new CommandProbe(options, setting),
  label: ({ command: { argv } }) => `command ${plainText(argv.join(' '))}`,
});

function parseArgv(text: string, name: string): readonly string[] {
  const argv = text.startsWith('[') ? parseList(text) : text.split(/ +/).filter((word) => word !== '');
  if (argv === undefined) throw targetError(name, text, 'is no JSON list of texts', TARGET);
  const problem = argvProblem(argv);
  if (problem === undefined) return argv;
  throw targetError(name, text, `has an argument that ${problem[1].split(';')[0]}`, TARGET);
}

function parseList(text: string): readonly string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((word) => typeof word === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}

class CommandProbe implements ExternalProbe {
  readonly #options: CommandOptions;
  readonly #setting: ExternalSetting;
  /** Runs that were told to end and have not. */
  #overdue = 0;

  constructor(options: CommandOptions, setting: ExternalSetting) {
    this.#options = options;
    this.#setting = setting;
  }

  async probe({ deadlineMs, signal }: LookOptions): Promise<Finding> {
    // One that hangs in the kernel stays; a further one at every period would fill the host.
    if (this.#overdue > 0) throw new VmpulseError('ERR_VMPULSE_TIMEOUT', 'the former run has not ended yet');
    let isLate = false;
    const late = () => {
      isLate = true;
      this.#overdue += 1;
    };
    signal.addEventListener('abort', late, { once: true });
    try {
      const { argv, cwd = '/', user } = this.#options;
      const asUser = await chooseUser(user);
      const env = this.#environment(deadlineMs);
      return finding(
        await runChild({ argv, cwd, env, user: asUser, signal }).catch((error) =>
          couldNotStart(error, argv[0] ?? '', cwd, asUser?.name),
        ),
      );
    } finally {
      signal.removeEventListener('abort', late);
      if (isLate) this.#overdue -= 1;
    }
  }

  #environment(deadlineMs: number): Record<string, string> {
    const { vm, probe } = this.#setting;
    return {
      PATH,
      LANG: 'C.UTF-8',
      ...Object.fromEntries(this.#options.env),
      VMPULSE_PROBE: probe,
      VMPULSE_TIMEOUT_MS: String(Math.floor(deadlineMs)),
      ...(vm === undefined
        ? {}
        : {
            VMPULSE_VM: vm.id,
            VMPULSE_VM_NAMESPACE: vm.namespace,
            VMPULSE_VM_NAME: vm.name,
            VMPULSE_VM_UUID: vm.uuid,
            ...given({ VMPULSE_VM_ADDRESS: vm.address }),
          }),
    };
  }
}

function finding({ code, endedBy, stdout, stderr }: ChildEnd): Finding {
  if (code === 0) return { outcome: { result: 'ok' }, details: { exitCode: 0 } };
  const how = endedBy === null ? `exit status ${code}` : `ended by ${endedBy}`;
  const said = stderr.trim() || stdout.trim();
  return {
    outcome: { result: 'failed', reason: 'exec-nonzero' },
    message: said === '' ? how : plainText(`${how}: ${said}`, MAX_MESSAGE_CHARS),
    details: { exitCode: code },
  };
}

/** A program that cannot be started says nothing about the VM. */
async function couldNotStart(
  error: unknown,
  program: string,
  cwd: string,
  user: string | undefined,
): Promise<never> {
  const isThere = await stat(cwd).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const who = user === undefined ? '' : ` as ${user}`;
  const why = isThere ? errorMessage(error) : `there is no directory ${cwd} (cwd)`;
  throw new VmpulseError('ERR_VMPULSE_SYSCALL', `${program} cannot be run${who}: ${why}`, {
    cause: error,
    details: { errno: errnoOf(error), syscall: 'spawn' },
  });
}
