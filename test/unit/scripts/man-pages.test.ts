import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manPages } from '../../../scripts/lib/man-pages.mjs';
import { findProgram } from '../../../scripts/lib/run.mjs';
import { EXIT, EXIT_MEANINGS } from '../../../src/cli/exit-codes.js';
import { describedProgram } from '../../../src/cli/program.js';
import { testFolder } from '../../fixtures/folder.js';

const program = await describedProgram();
const exitStatuses = Object.fromEntries(
  Object.entries(EXIT).map(([name, status]) => [
    String(status),
    Object.entries(EXIT_MEANINGS).find(([meant]) => meant === name)?.[1] ?? '',
  ]),
);
const pages = manPages(program, { version: '1.2.3', date: '2026-01-31', exitStatuses });

function written(): string {
  const dir = join(testFolder(), 'man1');
  mkdirSync(dir);
  for (const [name, text] of pages) writeFileSync(join(dir, name), text);
  return dir;
}

describe('manual pages', () => {
  it('are one for the program, and one for each command and each other name of one', () => {
    const commands = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
    expect([...pages.keys()].toSorted()).toEqual(
      ['vmpulse.1', ...commands.map((name) => `vmpulse-${name}.1`)].toSorted(),
    );
    expect(pages.get('vmpulse-health-monitor.1')).toBe('.so man1/vmpulse-health.1\n');
  });

  it('have every option and every command below', () => {
    for (const command of program.commands) {
      const page = (pages.get(`vmpulse-${command.name()}.1`) ?? '').replaceAll('\\-', '-');
      for (const child of command.commands)
        expect(page).toContain(`vmpulse ${command.name()} ${child.name()}`);
      for (const { flags } of command.options) expect(page).toContain(flags);
    }
    const main = (pages.get('vmpulse.1') ?? '').replaceAll('\\-', '-');
    for (const command of program.commands) expect(main).toContain(`vmpulse-${command.name()}(1)`);
    for (const status of Object.values(EXIT)) expect(main).toContain(`.B "${status}"`);
  });

  it('are set by groff without a warning', (context) => {
    if (findProgram('groff') === undefined) context.skip('there is no groff; install groff');
    const dir = written();
    for (const name of pages.keys()) {
      if (pages.get(name)?.startsWith('.so')) continue;
      const said = execFileSync('sh', ['-c', 'exec groff -man -ww -z "$1" 2>&1', 'sh', join(dir, name)]);
      expect(said.toString(), name).toBe('');
    }
  });

  it('are read by mandoc without a complaint', (context) => {
    if (findProgram('mandoc') === undefined) context.skip('there is no mandoc; install mandoc');
    const dir = written();
    const whole = [...pages].filter(([, text]) => !text.startsWith('.so'));
    const files = whole.map(([name]) => join(dir, name));
    const said = execFileSync('sh', ['-c', 'mandoc -T lint -W warning "$@" 2>&1 || true', 'sh', ...files]);
    expect(said.toString()).toBe('');
  });

  it('show a command as its help does', (context) => {
    if (findProgram('mandoc') === undefined) context.skip('there is no mandoc; install mandoc');
    const page = join(written(), 'vmpulse-metrics.1');
    const shown = execFileSync('sh', [
      '-c',
      'mandoc -T ascii -O width=150 "$1" | col -b',
      'sh',
      page,
    ]).toString();
    expect(shown).toContain('vmpulse-metrics - print the metrics, or send them to a monitoring system');
    expect(shown).toContain('--endpoint <url>');
    expect(shown).toContain('$ vmpulse metrics --stream --endpoint http://monitoring:9090');
  });
});
