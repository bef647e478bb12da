import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lines } from '../../../src/cli/guest-command.js';
import { FileLock, kernelMissing } from '../../../src/kernel/index.js';
import { testFolder } from '../../fixtures/folder.js';
import { vmView } from '../daemon/fake-runtime.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';

async function daemon() {
  const served = await serve();
  return {
    ...served,
    run: (...args: readonly string[]) =>
      runCommandLine([...args.slice(0, 2), '--socket', served.socket, ...args.slice(2)]),
  };
}

describe('vmpulse vm exec', () => {
  it('runs the words behind -- and shows both outputs, escaped', async () => {
    const { run, runtime } = await daemon();
    expect(await run('vm', 'exec', 'web-1', '--timeout', '5s', '--', 'ls', '-l', '--json')).toEqual({
      status: 0,
      stdout: 'out\\u001b[31m\nmore\n',
      stderr: 'err\n',
    });
    const asked = { vm: 'default/web-1', argv: ['ls', '-l', '--json'], deadlineMs: 5_000 };
    expect(runtime.calls).toEqual([['exec', { ...asked, author: expect.stringContaining('@') }]]);
  });

  it('ends with 1 when the command did not end with 0, and says with what', async () => {
    const { run } = await daemon();
    const { status, stderr } = await run('vm', 'exec', 'web-1', '--', 'false');
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'err\nvmpulse: the command ended with status 3\n',
    });
    const told = await run('vm', 'exec', 'web-1', '--json', '--', 'false');
    expect(JSON.parse(told.stdout)).toMatchObject({ vm: 'default/web-1', exitCode: 3 });
  });

  it('gives a script to the interpreter of its first line', async () => {
    const { run, runtime } = await daemon();
    const folder = testFolder();
    const script = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    await run('vm', 'exec', 'web-1', '--script', script('plain', 'id\n'), '--', '--fast');
    await run('vm', 'exec', 'web-1', '--command', 'df -h; id');
    await run('vm', 'exec', 'web-1', '--script', script('py', '#!/usr/bin/env python3\nprint(1)\n'));
    expect(runtime.calls).toMatchObject([
      ['exec', { argv: ['/bin/sh', '-s', '--', '--fast'], input: 'id\n' }],
      ['exec', { argv: ['/bin/sh', '-c', 'df -h; id'] }],
      ['exec', { argv: ['/usr/bin/env', 'python3', '-'], input: expect.stringContaining('print') }],
    ]);
    for (const [args, message] of [
      [['--script', join(folder, 'absent')], 'cannot be read'],
      [['--script', script('large', 'x'.repeat(70_000))], 'more than 65536 bytes'],
      [['--script', script('py2', '#!/bin/python\n'), '--', 'a'], 'only scripts of a shell'],
      [[], 'there is no command'],
      [['--command', 'id', '--', 'x'], 'leave out the rest'],
    ] as const) {
      const { status, stderr } = await run('vm', 'exec', 'web-1', ...args);
      expect(status).toBe(64);
      expect(stderr).toContain(message);
    }
  });
});

describe('vmpulse vm exec-batch', () => {
  it('chooses VMs by health, label and name, and does nothing without --yes', async () => {
    const { run, runtime } = await daemon();
    runtime.vms = [
      vmView('default/web-1', { labels: { tier: 'front' } }),
      vmView('default/web-2', { health: 'unhealthy', labels: { tier: 'front' } }),
      vmView('lab/db', { health: 'unhealthy' }),
    ];
    const chosen = async (...args: string[]) => {
      const { status, stdout } = await run('vm', 'exec-batch', ...args, '--', 'true');
      return [status, stdout];
    };
    const would = (id: string) => `would run true in ${id}\n`;
    expect(await chosen('--health-status', 'unhealthy')).toEqual([
      3,
      would('default/web-2') + would('lab/db'),
    ]);
    expect(await chosen('--tag', 'tier=front', '--vm', '*-1', '--dry-run')).toEqual([
      0,
      `${would('default/web-1')}nothing done (--dry-run)\n`,
    ]);
    expect(await chosen('--vm', 'lab/*', '--dry-run')).toMatchObject([0, expect.stringContaining('lab/db')]);
    expect(await chosen('--vm', 'no*thing')).toEqual([0, '']);
    expect(runtime.calls).toEqual([]);
    expect(await chosen('--tag', 'tier=front', '--vm', '*-2')).toMatchObject([
      0,
      expect.stringContaining('default/web-2'),
    ]);
    expect(runtime.calls).toHaveLength(1);
  });

  it('shows how each ended', async () => {
    const { run, runtime } = await daemon();
    const { status, stdout } = await run('vm', 'exec-batch', '--yes', '--parallel', '1', '--', 'false');
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^VM +STATUS +OUTPUT\ndefault\/web-1 +3 +out\\u001b\[31m \(and 1 more lines\)\nlab\/db +3 /,
    );
    expect(runtime.calls).toHaveLength(2);
  });
});

describe('vmpulse vm stats', () => {
  it('gives the figures to people and to programs', async () => {
    const { run } = await daemon();
    const { stdout } = await run('vm', 'stats', 'web-1');
    expect(stdout).toContain('cpu     12.5 %, 1 % I/O wait, 0 % stolen');
    expect(stdout).toContain('memory  75 %');
    expect(JSON.parse((await run('vm', 'stats', 'web-1', '--json')).stdout)).toMatchObject({
      vm: 'default/web-1',
      cpu_usage: 12.5,
      memory_usage: 75,
      disk_usage: 45,
    });
  });
});

describe('vmpulse vm resize', () => {
  it('reads amounts, with + for as much more', async () => {
    const { run, runtime } = await daemon();
    const { status, stdout } = await run('vm', 'resize', 'web-1', '--memory', '+2GB');
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'default/web-1 has 4096 MiB\n' });
    await run('vm', 'resize', 'web-1', '--memory', '512Mi');
    expect(runtime.calls).toMatchObject([
      ['resize', 'default/web-1', { mib: 2048, relative: true }, expect.stringContaining('@')],
      ['resize', 'default/web-1', { mib: 512, relative: false }, expect.any(String)],
    ]);
    for (const text of ['2', '+0GB', '-1GB', 'lots']) {
      const { stderr } = await run('vm', 'resize', 'web-1', `--memory=${text}`);
      expect(stderr).toContain('is no amount of memory');
    }
  });
});

describe('vmpulse vm console --command', () => {
  it('types a line and shows what comes, alone', { timeout: 30_000 }, async () => {
    const { run, runtime } = await daemon();
    runtime.consoleSocket = join(testFolder(), 'tty.sock');
    const server = createServer((client) =>
      client.on('data', (text) => client.write(`you typed ${text}\n\u001b[2J`)),
    );
    await new Promise<void>((resolve) => server.listen(runtime.consoleSocket, resolve));
    onTestFinished(() => void server.close());
    const typed = await run('vm', 'console', 'web-1', '--command', 'ip addr');
    expect(typed).toEqual({ status: 0, stdout: 'you typed ip addr\n\\u001b[2J\n', stderr: '' });
    if (kernelMissing() !== undefined) return;
    const lock = new FileLock(`${runtime.consoleSocket}.lock`);
    const second = await run('vm', 'console', 'web-1', '--command', 'x');
    lock.close();
    expect(second.status).toBe(75);
    expect(second.stderr).toContain('somebody else has the console');
  });

  it('says so when nothing comes', async () => {
    const { run, runtime } = await daemon();
    runtime.consoleSocket = join(testFolder(), 'tty.sock');
    const server = createServer((client) => client.resume());
    await new Promise<void>((resolve) => server.listen(runtime.consoleSocket, resolve));
    onTestFinished(() => void server.close());
    expect(await run('vm', 'console', 'web-1', '--command', 'x', '--timeout', '100ms')).toMatchObject({
      status: 0,
      stdout: '',
      stderr: expect.stringContaining('nothing came'),
    });
  });

  it('says so when nothing is there', async () => {
    const { run } = await daemon();
    const { status, stderr } = await run('vm', 'console', 'web-1', '--command', 'x');
    expect(status).toBe(1);
    expect(stderr).toMatch(/nowhere\.sock cannot be (reached|locked)/);
  });
});

it('shows the lines of a guest as lines, and nothing else of what steers a terminal', () => {
  expect(lines('a\tb\r\nc\u0007\n')).toBe('a\tb\nc\\u0007\n');
  expect(lines('')).toBe('');
});
