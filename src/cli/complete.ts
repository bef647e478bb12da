import type { Argument, Command, Option } from 'commander';

/** What may stand where the last word is. */
export interface Candidate {
  readonly value: string;
  /** One line for shells that show it; may be empty. */
  readonly about: string;
}

/** What completes a word. `files`: the shell knows better. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly files: boolean;
}

const NOTHING: Completion = { candidates: [], files: false };
const FILES: Completion = { candidates: [], files: true };

/** What the daemon knows; each is asked only where it may stand. */
export interface Names {
  vms(): Promise<readonly string[]>;
  /** Paths of settings: of a VM, or of the daemon. */
  settings(vm: string | undefined): Promise<readonly string[]>;
}

/** Completes the last of `words`, which are what stands behind the program's name; the last may be empty. */
export async function complete(
  program: Command,
  words: readonly string[],
  names: Names,
): Promise<Completion> {
  const last = words.at(-1) ?? '';
  const { command, positional, pending, onlyWords } = walk(program, words.slice(0, -1));
  const found = await candidatesFor(last);
  return { ...found, candidates: found.candidates.filter(({ value }) => value.startsWith(last)) };

  async function candidatesFor(word: string): Promise<Completion> {
    if (pending !== undefined)
      return candidatesOf(pending.long ?? '', argumentName(pending.flags), pending.argChoices, word);
    if (!onlyWords && word.startsWith('-')) return plain(optionsOf(command));
    if (command.commands.length > 0) return positional === 0 ? plain(subcommands(command)) : NOTHING;
    const argument = argumentAt(command, positional);
    return argument === undefined ? NOTHING : candidatesOf('', argument.name(), argument.argChoices, word);
  }

  async function candidatesOf(
    option: string,
    name: string,
    choices: readonly string[] | undefined,
    word: string,
  ): Promise<Completion> {
    if (choices !== undefined) return plain(valuesOf(name === 'list' ? oneMoreOf(choices, word) : choices));
    if (name === 'vm' || name === 'vms' || option === '--vm') return plain(valuesOf(await names.vms()));
    if (name === 'setting') return plain(valuesOf(await names.settings(optionValue('--vm', words))));
    return ['file', 'path', 'dir'].includes(name) ? FILES : NOTHING;
  }
}

/** What may stand behind the last comma of a list. */
function oneMoreOf(choices: readonly string[], list: string): readonly string[] {
  const before = list.slice(0, list.lastIndexOf(',') + 1);
  const used = before.split(',');
  return choices.filter((value) => !used.includes(value)).map((value) => before + value);
}

function optionValue(option: string, words: readonly string[]): string | undefined {
  return words.includes(option) ? words[words.indexOf(option) + 1] : undefined;
}

function valuesOf(values: readonly string[]): Candidate[] {
  return values.map((value) => ({ value, about: '' }));
}

function plain(candidates: readonly Candidate[]): Completion {
  return { candidates, files: false };
}

interface Place {
  readonly command: Command;
  /** Arguments that stand already. */
  readonly positional: number;
  /** The option whose value the next word is. */
  readonly pending: Option | undefined;
  /** Behind `--`. */
  readonly onlyWords: boolean;
}

/** Where in the command line the next word would be. */
function walk(program: Command, words: readonly string[]): Place {
  let place: Place = { command: program, positional: 0, pending: undefined, onlyWords: false };
  for (const word of words) place = step(place, word);
  return place;
}

function step(place: Place, word: string): Place {
  const { command, pending, onlyWords, positional } = place;
  if (pending !== undefined) return { ...place, pending: undefined };
  if (onlyWords) return { ...place, positional: positional + 1 };
  if (word === '--') return { ...place, onlyWords: true };
  if (word.startsWith('-')) {
    const option = allOptions(command).find(({ long, short }) => word === long || word === short);
    return option?.required ? { ...place, pending: option } : place;
  }
  const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
  if (child !== undefined) return { ...place, command: child, positional: 0 };
  return { ...place, positional: positional + 1 };
}

/** Those of the command and of the program. */
function allOptions(command: Command): readonly Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .concat(command.parent ? allOptions(command.parent) : []);
}

function optionsOf(command: Command): Candidate[] {
  const options = new Map(allOptions(command).map((option) => [option.long ?? option.short ?? '', option]));
  return [...options].map(([value, { description }]) => ({ value, about: description }));
}

function subcommands(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((child) => ({ value: child.name(), about: child.summary() || child.description() }));
}

function argumentAt(command: Command, at: number): Argument | undefined {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[at] ?? (last?.variadic ? last : undefined);
}

/** `file` of `--config <file>`. */
function argumentName(flags: string): string {
  return /<([\w-]+)>/.exec(flags)?.[1] ?? '';
}
