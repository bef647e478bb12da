import { describe, expect, it } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import { vmView } from '../daemon/fake-runtime.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

const failing = (name: string, reason: 'connect-timeout' | 'connection-refused') =>
  ({ name, role: 'check', kind: 'tcpSocket', state: 'failed', asked: true, reason, sinceMs: 1_000 }) as const;

function turned(seq: number, vm: string, probe: string, reason: string): StoredJournalEntry {
  return {
    ...{ seq, atMs: Date.now() - 60_000 + seq, vm, type: 'transition', actionId: null },
    text: `probe ${probe} ok → failed (${reason})`,
    data: { probe, from: 'ok', to: 'failed', reason },
  };
}

async function run(socket: string, ...args: string[]) {
  const told = await runCommandLine([...args, '--socket', socket]);
  return { ...told, json: () => JSON.parse(told.stdout) };
}

describe('vmpulse health status', () => {
  it('tells how many VMs are monitored, under both its names, with the keys that scripts ask for', async () => {
    const { runtime, socket } = await serve();
    runtime.vms = [vmView('a/x'), vmView('a/y', { probes: [], health: 'unknown' })];
    for (const name of ['health', 'health-monitor']) {
      const { json } = await run(socket, name, 'status', '--format', 'json');
      expect(json()).toEqual({
        ...{ total_vms: 2, monitored_vms: 1, coverage: 0.5, health: { healthy: 1, unknown: 1 } },
        checks: { total: 1, failed: 0, blind: 0 },
        unmonitored_vms: [{ vm: 'a/y', why: 'it has no probe that is switched on' }],
      });
    }
    const { stdout } = await run(socket, 'health', 'status');
    expect(stdout).toContain('1 of 2 VMs are monitored (50 %)');
    expect(stdout).toContain('a/y is not monitored: it has no probe that is switched on');
  });
});

describe('vmpulse health check', () => {
  it('asks the probes now, and tells with --verbose what they said before', async () => {
    const { runtime, socket } = await serve();
    runtime.last = {
      ...{ result: 'failed', reason: 'bad-status', class: 'invalid-response' },
      ...{ atMs: Date.now() - 5_000, durationMs: 12.25 },
    };
    const plain = await run(socket, 'health', 'check', '--vm', 'web-1');
    expect(plain.stdout).toMatch(/^default\/web-1 is healthy/);
    expect(plain.stdout).not.toContain('bad-status');
    const { stdout } = await run(socket, 'health', 'check', '--vm', 'web-1', '--verbose');
    expect(stdout).toMatch(/SAID LAST/);
    expect(stdout).toMatch(/bad-status 12\.3 ms, \d+s ago/);
    const asJson = await run(socket, 'health', 'check', '--vm', 'web-1', '--json');
    expect(asJson.json()).toMatchObject({
      vm: 'default/web-1',
      askedNow: true,
      results: [{ probe: 'readiness' }],
    });
  });

  it('does not ask again who has just spoken, unless forced; one that failed makes the status 1', async () => {
    const { runtime, socket } = await serve();
    const fresh = { atMs: Date.now(), durationMs: 1 };
    runtime.last = { ...fresh, result: 'failed', reason: 'connection-refused', class: 'refused' };
    const known = await run(socket, 'health', 'check-all', '--json');
    expect(known.status).toBe(1);
    expect(known.json().vms).toMatchObject([
      { vm: 'default/web-1', askedNow: false, results: [{ result: 'failed', reason: 'connection-refused' }] },
      { vm: 'lab/db', askedNow: false },
    ]);
    const forced = await run(socket, 'health', 'check-all', 'web-*', '--force', '--json');
    expect(forced.json().vms).toMatchObject([{ vm: 'default/web-1', askedNow: true }]);
    const table = await run(socket, 'health', 'check-all');
    expect(table.stdout).toMatch(/default\/web-1 +healthy +last period +0 +1 +0 +connection-refused/);
  });
});

describe('vmpulse health check-all', () => {
  it('tells which VM could not be asked, has the status 1, and shows the others', async () => {
    const { runtime, socket } = await serve();
    const { now } = runtime.checks;
    runtime.checks.now = async (vm) => {
      if (vm === 'lab/db') throw new VmpulseError('ERR_VMPULSE_COMMAND', 'the agent is away');
      return (await now(vm)).map((one) => ({ ...one, outcome: { result: 'ok' } }));
    };
    const told = await run(socket, 'health', 'check-all', '--force', '--json');
    expect(told).toMatchObject({
      status: 1,
      stderr: 'vmpulse: lab/db: the agent is away [ERR_VMPULSE_COMMAND]\n',
    });
    expect(told.json().vms).toMatchObject([{ vm: 'default/web-1', askedNow: true }]);
    expect((await run(socket, 'health', 'check-all', 'web-1', '--force')).status).toBe(0);
    expect(await run(socket, 'health', 'check', '--vm', 'db')).toMatchObject({ stdout: '', status: 1 });
  });
});

describe('vmpulse health report', () => {
  it('groups what fails now by error, VM and probe', async () => {
    const { runtime, socket } = await serve();
    runtime.vms = [
      vmView('a/x', { probes: [failing('ssh', 'connect-timeout'), failing('http', 'connection-refused')] }),
      vmView('a/y', { probes: [failing('http', 'connection-refused')] }),
    ];
    const { json } = await run(socket, 'vm', 'health-report', '--group-by', 'error', '--format', 'json');
    expect(json()).toMatchObject({
      ...{ group_by: 'error', total: 3 },
      groups: [
        { name: 'refused', title: 'Connection refused', count: 2, vms: ['a/x', 'a/y'] },
        { name: 'timeout', title: 'Connection timeout', count: 1, failures: [{ vm: 'a/x', probe: 'ssh' }] },
      ],
    });
    const byVm = await run(socket, 'health', 'report', '--group-by', 'vm');
    expect(byVm.stdout).toMatch(/a\/x +2 +connect-timeout, connection-refused\na\/y +1/);
    const byProbe = await run(socket, 'health', 'report', '--group-by', 'probe');
    expect(byProbe.stdout).toContain('a/x/ssh');
  });

  it('groups what failed within a time', async () => {
    const { runtime, socket } = await serve();
    runtime.entries = [
      turned(1, 'a/x', 'http', 'connection-refused'),
      turned(2, 'a/x', 'http', 'connection-refused'),
      turned(3, 'a/y', 'login', 'authentication-failed'),
    ];
    const { json } = await run(socket, 'health', 'report', '--period', '1h', '--json');
    expect(json().groups).toMatchObject([
      { name: 'refused', count: 2, vms: ['a/x'] },
      { name: 'auth', title: 'Authentication failed', count: 1 },
    ]);
    expect((await run(socket, 'health', 'report')).stdout).toBe('no probe fails\n');
  });
});

describe('vmpulse health reset', () => {
  it('resets one VM, or with --yes all of them, and says who did', async () => {
    const { runtime, socket } = await serve();
    const one = await run(socket, 'health', 'reset', 'web-1');
    expect(one).toMatchObject({ status: 0, stdout: 'default/web-1: its probes start over\n' });
    const refused = await run(socket, 'health-monitor', 'reset', '--clear-history');
    expect(refused.status).toBe(3);
    const all = await run(socket, 'health-monitor', 'reset', '--clear-history', '--yes');
    expect(all.stdout).toContain('lab/db: its probes start over, and its history');
    const author = expect.stringMatching(/@\d+/);
    expect(runtime.calls).toEqual([
      ['health-reset', { vm: 'default/web-1', author, clearHistory: false }],
      ['health-reset', { vm: 'default/web-1', author, clearHistory: true }],
      ['health-reset', { vm: 'lab/db', author, clearHistory: true }],
    ]);
  });

  it('has history and report begin at a reset that clears history, and leaves the journal as it is', async () => {
    const { runtime, socket } = await serve();
    const clear = { verb: 'health-reset', clearHistory: true };
    const atMs = Date.now() - 30_000;
    runtime.entries = [
      turned(1, 'a/x', 'http', 'connection-refused'),
      turned(2, 'a/y', 'http', 'connect-timeout'),
      { ...{ seq: 3, atMs, vm: 'a/x', actionId: null }, type: 'operator', text: 'reset', data: clear },
    ];
    const history = await run(socket, 'health', 'history', '--json');
    expect(history.json().entries).toMatchObject([{ vm: 'a/y' }]);
    const report = await run(socket, 'health', 'report', '--period', '1h', '--json');
    expect(report.json()).toMatchObject({ total: 1, groups: [{ name: 'timeout' }] });
    const journal = await run(socket, 'journal', 'list', '--json');
    expect(journal.json().entries).toHaveLength(3);
  });
});

describe('health report of a time', () => {
  it('leaves out entries without a probe', async () => {
    const { runtime, socket } = await serve();
    const other = turned(1, 'a/x', 'http', 'connection-refused');
    runtime.entries = [
      { ...other, data: { from: 'ok', to: 'failed', reason: 'connection-refused' } },
      turned(2, 'a/y', 'http', 'connection-refused'),
    ];
    const { json } = await run(socket, 'health', 'report', '--period', '1h', '--group-by', 'probe', '--json');
    expect(json()).toMatchObject({ total: 1, groups: [{ name: 'a/y/http' }] });
  });

  it('knows of a reset that a thousand other acts followed', async () => {
    const { runtime, socket } = await serve();
    const act = { vm: 'a/x', type: 'operator', actionId: null, text: 'act' } as const;
    const atMs = Date.now() - 30_000;
    runtime.entries = [
      turned(1, 'a/x', 'http', 'connection-refused'),
      { ...act, seq: 2, atMs, data: { verb: 'health-reset', clearHistory: true } },
      ...Array.from({ length: 1_000 }, (_, i) => ({ ...act, seq: i + 3, atMs: atMs + i, data: {} })),
    ];
    expect((await run(socket, 'health', 'report', '--period', '1h')).stdout).toBe('no probe fails\n');
  });
});

describe('history', () => {
  it('of health, of the journal and of recoveries is shown, and paged by a cursor', async () => {
    const { runtime, socket } = await serve();
    const diagnosis = { kind: 'vmm-dead', cause: 'process-gone', evidence: [{ text: 'the process ended' }] };
    const atMs = Date.now() - 1_000;
    const about = { vm: 'a/x', actionId: 'a-1' };
    runtime.entries = [
      turned(1, 'a/x', 'http', 'connection-refused'),
      turned(2, 'a/y', 'http', 'connect-timeout'),
      {
        ...about,
        seq: 3,
        atMs,
        type: 'action-start',
        text: 'start begins',
        data: { step: 'start', attempt: 2, diagnosis },
      },
      {
        ...about,
        seq: 4,
        atMs: atMs + 200,
        type: 'action-end',
        text: 'start carried out',
        data: { result: 'done' },
      },
      {
        ...about,
        seq: 5,
        atMs: atMs + 900,
        type: 'decision',
        text: 'health is back',
        data: { rule: 'healed' },
      },
    ];
    expect((await run(socket, 'health', 'history', 'a/x', '--period', '1h')).stdout).toMatch(
      /a\/x +probe http ok → failed \(connection-refused\)\n$/,
    );
    const first = await run(socket, 'journal', 'list', '--type', 'transition', '--limit', '1');
    expect(first.stdout).toContain('connect-timeout');
    const cursor = /--cursor (\S+)/.exec(first.stdout)?.[1] ?? '';
    const second = await run(
      socket,
      'journal',
      'list',
      '--type',
      'transition',
      '--limit',
      '1',
      '--cursor',
      cursor,
    );
    expect(second.stdout).toContain('connection-refused');
    expect(second.stdout).not.toContain('--cursor');
    const log = await run(socket, 'recovery', 'log', '--last', '7d', 'a/x');
    expect(log.stdout).toContain('Issue: vmm-dead (process-gone): the process ended');
    expect(log.stdout).toContain('Action: start (attempt 2)');
    expect(log.stdout).toContain('Result: success, 900 ms: health is back');
    const history = await run(socket, 'recovery', 'history');
    expect(history.stdout).toMatch(/a\/x +vmm-dead \(process-gone\) +start +success +900 ms\n$/);
    const wrong = await run(socket, 'journal', 'list', '--class', 'colour');
    expect(wrong).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('"colour" is none; there are timeout'),
    });
  });
});
