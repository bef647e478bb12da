import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { ConsoleOptions, ProbeCheck } from '../../model/probe.js';
import { absolutePathProblem } from '../fields.js';
import { defineKind } from '../probe-kind.js';
import { targetError } from '../target-text.js';
import { ConsoleProbe } from './console-probe.js';
import { consoleSchema, patternProblem } from './options.js';

type ConsoleCheck = Extract<ProbeCheck, { kind: 'console' }>;

const TARGET =
  "the path of a log and a pattern that must not be in it, for example /run/vm.log 'Kernel panic' as one argument";

/** Looks at what the guest writes on its serial console. */
export const serialConsole = defineKind<ConsoleCheck>({
  kind: 'console',
  aliases: ['serial'],
  summary: "looks for patterns in the log of the guest's serial console",
  targetHelp: TARGET,
  schema: consoleSchema.transform((options): ConsoleCheck => ({ kind: 'console', console: options })),
  parseTarget: (text, name) => ({ check: { kind: 'console', console: parseLog(text, name) } }),
  lookups: ({ console: { file } }) => (file === undefined ? { consoleLog: true } : {}),
  open: ({ console: options }, setting) => {
    const path = options.file ?? setting.consoleLog;
    if (path === undefined) {
      throw new VmpulseError(
        'ERR_VMPULSE_ARGUMENT',
        'it is not known where the console of this VM is logged; write console.file',
      );
    }
    return new ConsoleProbe(path, options, setting);
  },
  label: ({ console: { file = 'of the VM' } }) => `console ${plainText(file)}`,
});

function parseLog(text: string, name: string): ConsoleOptions {
  const [, file = '', pattern = ''] = /^(\S+)\s+(.+)$/s.exec(text) ?? [];
  if (file === '') throw targetError(name, text, 'has no pattern', TARGET);
  const problem = absolutePathProblem(file) ?? patternProblem(pattern);
  if (problem !== undefined) throw targetError(name, text, problem.split(';')[0] ?? problem, TARGET);
  return { file, notSeen: pattern };
}
