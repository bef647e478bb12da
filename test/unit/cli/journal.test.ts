import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import { simulateSeed } from '../../../src/sim/simulate.js';
import { testFolder } from '../../fixtures/folder.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

function entry(seq: number, atMs: number): StoredJournalEntry {
  return { seq, atMs, vm: 'a/b', type: 'daemon', actionId: null, text: 'line\nbreak', data: { n: seq } };
}

describe('vmpulse journal export', () => {
  it('prints every entry as a line of JSON, however many answers that takes', async () => {
    const { runtime, socket } = await serve();
    runtime.entries = Array.from({ length: 2_500 }, (_, i) => entry(i + 1, 1_000));
    const { stdout, status } = await runCommandLine(['journal', 'export', '--socket', socket]);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(runtime.entries);
  });

  it('leaves out what is older than --last', async () => {
    const { runtime, socket } = await serve();
    runtime.entries = [entry(1, Date.now() - 7_200_000), entry(2, Date.now() - 60_000)];
    const { stdout } = await runCommandLine(['journal', 'export', '--last', '1h', '--socket', socket]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ seq: 2 });
  });
});

describe('vmpulse simulate --record', { timeout: 60_000 }, () => {
  it('replays an export, and says where another policy diverges', async () => {
    const lines: string[] = [];
    await simulateSeed(
      {
        ...{ seed: 6, vms: 20, hosts: 1, days: 10, faults: ['memory-leak', 'crash-loop'] },
        ...{ recoveries: [DEFAULT_RECOVERY], policy: DEFAULT_POLICY_CONFIG },
      },
      { onEntry: (_host, one) => lines.push(JSON.stringify(one)) },
    );
    const dir = testFolder();
    const record = join(dir, 'week.jsonl');
    await writeFile(record, `${lines.join('\n')}\n`);
    const same = await runCommandLine(['simulate', '--record', record]);
    expect(same).toMatchObject({ status: 0, stderr: '' });
    expect(same.stdout).toMatch(/20 VMs, 1 starts of the daemon, \d+ actions the same\nno VM diverged\n$/);

    const config = join(dir, 'config.yaml');
    await writeFile(config, 'recovery:\n  maxConsecutive: 1\n');
    const other = await runCommandLine(['simulate', '--record', record, '--policy', config]);
    expect(other.status).toBe(1);
    expect(other.stdout).toMatch(/sim\/vm-\d+ diverged: then (start|reboot), now nothing\n/);
    const asJson = await runCommandLine(['simulate', '--record', record, '--policy', config, '--json']);
    expect(JSON.parse(asJson.stdout).diverged.length).toBeGreaterThan(0);
  });

  it('refuses a file that is not there, and one that is no export', async () => {
    const record = join(testFolder(), 'none.jsonl');
    const missing = await runCommandLine(['simulate', '--record', record]);
    expect(missing.status).not.toBe(0);
    expect(missing.stderr).toMatch(/none\.jsonl cannot be replayed: .*ENOENT.*\[ERR_VMPULSE_ARGUMENT\]/);
    await writeFile(record, 'hello\n');
    expect((await runCommandLine(['simulate', '--record', record])).stderr).toContain('line 1 is no entry');
  });
});
