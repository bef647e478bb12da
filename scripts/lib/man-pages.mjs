/** @import { Command } from 'commander' */

/**
 * What the pages say beside the help of the commands.
 *
 * @typedef {object} ManFacts
 * @property {string} version
 * @property {string} date for example `2026-01-31`
 * @property {Readonly<Record<string, string>>} exitStatuses what each status means
 */

const ENVIRONMENT = {
  VMPULSE_SOCKET: "the daemon's socket, where --socket does not name one",
  VMPULSE_URL: 'a daemon by HTTPS, where neither --socket nor --url names one',
  VMPULSE_TOKEN: 'with a URL: the token',
  NO_COLOR: 'not empty: no colours; only a terminal gets some',
};

const FILES = {
  '/etc/vmpulse/config.yaml': 'configuration of the daemon',
  '/etc/vmpulse/vms.d': 'documents of VMs, unless the configuration says otherwise',
  '/var/lib/vmpulse': 'journal, state, images and documents that were applied',
  '/run/vmpulse/vmpulse.sock': 'socket of the daemon',
};

/**
 * Manual pages of a command line out of its own help: vmpulse(1), and one for each command below it, such as
 * vmpulse-vm(1), which has the commands below that.
 *
 * @param {Command} program
 * @param {ManFacts} facts
 * @returns {Map<string, string>} pages in the language of man(7), by the name of their file
 */
export function manPages(program, facts) {
  const pages = new Map([[fileOf(program.name()), mainPage(program, facts)]]);
  for (const command of below(program)) {
    const name = `${program.name()}-${command.name()}`;
    pages.set(fileOf(name), commandPage(command, name, facts));
    for (const alias of command.aliases())
      pages.set(fileOf(`${program.name()}-${alias}`), `.so man1/${fileOf(name)}\n`);
  }
  return pages;
}

/** @param {string} name */
function fileOf(name) {
  return `${name}.1`;
}

/** @param {Command} command */
function below(command) {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
}

/**
 * @param {Command} program
 * @param {ManFacts} facts
 */
function mainPage(program, facts) {
  const commands = below(program).map((command) => [`vmpulse-${command.name()}(1)`, summaryOf(command)]);
  return [
    heading(program.name(), 'watches virtual machines and brings back those that fail', facts),
    section('SYNOPSIS', bold('vmpulse'), '.RI [ options ]', '.I command', '.RI [ arguments ]'),
    section('DESCRIPTION', roff(program.description())),
    section('COMMANDS', ...commands.flatMap(([name, what]) => tagged(bold(name), what))),
    section('OPTIONS', 'Every command takes these, before or after its name.', ...optionsOf(program)),
    section('ENVIRONMENT', ...list(ENVIRONMENT)),
    section('FILES', ...list(FILES)),
    section('EXIT STATUS', ...list(facts.exitStatuses)),
    ...moreHelp(program, 'SH'),
  ].join('');
}

/**
 * @param {Command} command
 * @param {string} name
 * @param {ManFacts} facts
 */
function commandPage(command, name, facts) {
  const inner = below(command);
  const leaves = inner.length === 0 ? [] : leavesOf(command);
  return [
    heading(name, summaryOf(command), facts),
    section('SYNOPSIS', ...synopsis(leaves.length === 0 ? [command] : leaves)),
    section('DESCRIPTION', roff(command.description() || summaryOf(command))),
    ...(leaves.length === 0 ? details(command, 'SH') : []),
    ...(leaves.length === 0 ? [] : ['.SH COMMANDS\n', ...leaves.flatMap((leaf) => subsection(leaf))]),
    ...(leaves.length === 0 ? [] : moreHelp(command, 'SH')),
    section('SEE ALSO', '.BR vmpulse (1),', 'which has the options of every command.'),
  ].join('');
}

/**
 * Commands that do something.
 *
 * @param {Command} command
 * @returns {Command[]}
 */
function leavesOf(command) {
  const inner = below(command);
  return inner.length === 0 ? [command] : inner.flatMap(leavesOf);
}

/** @param {Command} leaf */
function subsection(leaf) {
  return [
    `.SS ${quoted(wordsOf(leaf).join(' '))}\n`,
    `${roff(leaf.description())}\n`,
    ...details(leaf, 'PP'),
  ];
}

/**
 * @param {Command} command
 * @param {'SH' | 'PP'} level
 */
function details(command, level) {
  const help = command.createHelp();
  const given = help
    .visibleArguments(command)
    .map((argument) => [argument.name(), help.argumentDescription(argument)]);
  const args = given.flatMap(([name, what]) => tagged(`.I ${roff(name)}`, what));
  return [
    ...(args.length === 0 ? [] : [titled('ARGUMENTS', level), ...lines(args)]),
    ...(command.options.length === 0 ? [] : [titled('OPTIONS', level), ...lines(optionsOf(command))]),
    ...moreHelp(command, level),
  ];
}

/** @param {Command} command */
function optionsOf(command) {
  const help = command.createHelp();
  return command.options
    .filter((option) => !option.hidden)
    .flatMap((option) => tagged(bold(option.flags), help.optionDescription(option)));
}

/**
 * What a command adds to its help: examples, lists. Each begins with a title.
 *
 * @param {Command} command
 * @param {'SH' | 'PP'} level
 */
function moreHelp(command, level) {
  let text = '';
  command.emit('afterHelp', { error: false, command, write: (/** @type {string} */ part) => (text += part) });
  const parts = text.split(/\n{2,}/).filter((part) => part.trim() !== '');
  return parts.flatMap((part) => {
    const [title = '', ...body] = part.replace(/^\n+/, '').split('\n');
    const kept = body.filter((line) => line !== '').map((line) => `${roff(line)}\n`);
    return [titled(title.replace(/:$/, '').toUpperCase(), level), '.nf\n', ...kept, '.fi\n'];
  });
}

/** @param {readonly Command[]} commands */
function synopsis(commands) {
  return commands.flatMap((command, index) => {
    const args = command.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return argument.required ? `.I ${roff(name)}` : `.RI [ ${roff(name)} ]`;
    });
    const options = command.options.length === 0 ? [] : ['.RI [ options ]'];
    return [...(index === 0 ? [] : ['.br']), bold(wordsOf(command).join(' ')), ...options, ...args];
  });
}

/**
 * @param {Command} command
 * @returns {string[]}
 */
function wordsOf(command) {
  return [...(command.parent === null ? [] : wordsOf(command.parent)), command.name()];
}

/** @param {Command} command */
function summaryOf(command) {
  return command.summary() || command.description();
}

/**
 * @param {string} name
 * @param {string} what
 * @param {ManFacts} facts
 */
function heading(name, what, { version, date }) {
  const title = `.TH ${quoted(name.toUpperCase())} 1 "${date}" ${quoted(`vmpulse ${version}`)} "User Commands"\n`;
  return `${title}${section('NAME', `${roff(name)} \\- ${roff(what)}`)}`;
}

/**
 * @param {string} title
 * @param {readonly string[]} body
 */
function section(title, ...body) {
  return [`.SH ${title}\n`, ...lines(body)].join('');
}

/**
 * @param {string} title
 * @param {'SH' | 'PP'} level
 */
function titled(title, level) {
  return level === 'SH' ? `.SH ${title}\n` : `.PP\n${title.charAt(0)}${title.slice(1).toLowerCase()}:\n`;
}

/** @param {readonly string[]} body */
function lines(body) {
  return body.map((line) => `${line}\n`);
}

/** @param {Readonly<Record<string, string>>} items */
function list(items) {
  return Object.entries(items).flatMap(([name, what]) => tagged(bold(name), what));
}

/**
 * @param {string} tag a line of roff
 * @param {string} what
 */
function tagged(tag, what) {
  return ['.TP', tag, roff(what) || '\\&'];
}

/** @param {string} text */
function bold(text) {
  return `.B ${quoted(text)}`;
}

/**
 * One argument of a macro.
 *
 * @param {string} text
 */
function quoted(text) {
  return `"${roff(text).replaceAll('"', '\\(dq')}"`;
}

/**
 * A text that formatters set as it is.
 *
 * @param {string} text
 */
function roff(text) {
  const plain = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(/[^\x20-\x7e]/gu, (char) => {
      const code = char.codePointAt(0) ?? 0;
      return `\\[u${code.toString(16).toUpperCase().padStart(4, '0')}]`;
    });
  return plain.startsWith('.') ? `\\&${plain}` : plain;
}
