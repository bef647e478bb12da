import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { describedProgram } from '../../../src/cli/program.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY, RULES } from '../../../src/policy/index.js';
import { daemonConfig } from '../../config/compile.js';

const page = readFileSync(new URL('../../../docs/guides/recovery.md', import.meta.url), 'utf8');
const program = await describedProgram();

/** The command that the words lead to, and the words that are left. */
function commandOf(words: readonly string[]): {
  readonly command: Command;
  readonly rest: readonly string[];
} {
  let command = program;
  let left = words;
  for (;;) {
    const child = command.commands.find((one) => one.name() === left[0]);
    if (child === undefined) return { command, rest: left };
    command = child;
    left = left.slice(1);
  }
}

describe('docs/guides/recovery.md', () => {
  const quoted = [...page.matchAll(/`vmpulse ([^`#]+)`/g)].map(([, words = '']) => words.trim());
  const blocks = [...page.matchAll(/^vmpulse ([^#\n]+)/gm)].map(([, words = '']) => words.trim());
  const typed = [...new Set([...quoted, ...blocks])];

  it('has commands', () => expect(typed.length).toBeGreaterThan(10));

  it.each(typed)('vmpulse %s is a command with these options', (line) => {
    const words = line.split(/\s+/);
    const { command, rest } = commandOf(words);
    // A group of commands does nothing by itself.
    expect(command === program || command.commands.length > 0, `${line} is no command`).toBe(false);
    const flags = rest.filter((word) => word.startsWith('--'));
    for (const flag of flags) expect(command.options.map(({ long }) => long)).toContain(flag);
  });

  it('names rules that there are', () => {
    const [, , held = ''] = /## 4\.(.*?)$(.*?)^## 5\./ms.exec(page) ?? [];
    const named = [...held.matchAll(/^\| `([a-z-]+)`/gm)].map(([, rule = '']) => rule);
    expect(named.length).toBeGreaterThan(8);
    const unknown = named.filter((rule) => !Object.hasOwn(RULES, rule));
    expect(unknown).toEqual([]);
  });

  it('says the defaults as they are', () => {
    const { maxConsecutive, maxPer24h, suspendedMaxMs } = DEFAULT_RECOVERY;
    const { brakeRatio, brakeMinVms, brakeCooldownMs, sharedCauseMinVms, sharedCauseWindowMs } =
      DEFAULT_POLICY_CONFIG;
    const windowS = sharedCauseWindowMs / 1000;
    for (const text of [
      `After ${maxConsecutive} tries in a row, or ${maxPer24h} in a day`,
      `failed within ${windowS} s`,
      `fewer than ${sharedCauseMinVms} fail for ${brakeCooldownMs / 60_000} minutes, or a single one for ${windowS} s`,
      `${brakeRatio * 100} % of the VMs fail at once, at least ${brakeMinVms}`,
    ])
      expect(page).toContain(text);
    expect(suspendedMaxMs).toBe(3_600_000);
    expect(page).toContain('told if that lasts for an hour');
  });

  it('has a configuration that switches recovery on', () => {
    const [, example = ''] = /^```yaml\n(.*?)^```/ms.exec(page) ?? [];
    expect(daemonConfig(example).recovery.enabled).toBe(true);
  });
});
