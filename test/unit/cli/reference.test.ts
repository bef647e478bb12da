import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { describedProgram } from '../../../src/cli/program.js';

const page = readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8');
const program = await describedProgram();

function section(title: string): string {
  return page.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
}

const flags = (text: string) => [...text.matchAll(/`(--[a-z-]+(?: <\w+>)?)`/g)].map(([, flag]) => flag);
const optionsOf = (command: Command) => command.options.map(({ flags: all }) => all.replace(/^-\w, /, ''));

/** Commands that do something, as they are typed. */
function leaves(command: Command, words: string): { usage: string; command: Command }[] {
  if (command.commands.length > 0)
    return command.commands.flatMap((child) => leaves(child, `${words} ${child.name()}`));
  const args = command.registeredArguments.map((arg) => {
    const name = `${arg.name().toUpperCase()}${arg.variadic ? '...' : ''}`;
    return arg.required ? name : `[${name}]`;
  });
  return [{ usage: [words, ...args].join(' '), command }];
}

describe('docs/reference/cli.md', () => {
  const rows = [...section('Commands').matchAll(/^\| `(vmpulse [^`]*)` \| (.*?) ?\| (.*?) \|$/gm)];

  it('lists every command as it is typed, and no other', () => {
    expect(rows.map(([, usage]) => usage)).toEqual(leaves(program, 'vmpulse').map(({ usage }) => usage));
  });

  it.each(leaves(program, 'vmpulse'))('lists the options of $usage', ({ usage, command }) => {
    const row = rows.find(([, documented]) => documented === usage);
    const text =
      command.name() === 'probe' ? (section('Probing by hand').split('Kinds,')[0] ?? '') : (row?.[2] ?? '');
    expect(flags(text).toSorted()).toEqual(optionsOf(command).toSorted());
  });

  it('lists the options of the program', () => {
    const documented = [...section('Options of every command').matchAll(/^\| `(--[^`]+)`/gm)].map(
      ([, flag]) => flag,
    );
    expect(documented.toSorted()).toEqual([...optionsOf(program), '--help'].toSorted());
  });

  it('lists every exit status, and no other', () => {
    const documented = [...section('Exit status').matchAll(/^\| (\d+) \|/gm)].map(([, status]) =>
      Number(status),
    );
    expect(documented).toEqual(Object.values(EXIT));
  });
});
