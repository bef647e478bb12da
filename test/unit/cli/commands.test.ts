import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ApiOptions } from '../../../src/daemon/api-route.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeLifecycle } from '../daemon/fake-lifecycle.js';
import { explainView, vmView } from '../daemon/fake-runtime.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';
import { startCli } from './run-cli.js';

const PATIENCE = { timeout: 20_000, interval: 20 };

/** A daemon with a fake runtime, and a command line that talks to it. */
async function daemon(...options: Parameters<typeof serve>) {
  const served = await serve(...options);
  const run = (args: readonly string[], more: Parameters<typeof runCommandLine>[1] = {}) =>
    runCommandLine([...args, '--socket', served.socket], more);
  return { ...served, run };
}

describe('vmpulse status', () => {
  it('shows all VMs in a table, what works only in part, and what holds', async () => {
    const { run, runtime } = await daemon();
    runtime.holds = [{ vm: null, reason: 'firmware', author: 'ann@1000', untilMs: 70_000 }];
    expect(await run(['status'])).toEqual({
      status: 0,
      stderr: '',
      stdout: `vmpulse 1.2.3 on host-1, 2 VMs: 1 healthy, 1 unhealthy (native engine, up 9s)
! recovery held: all VMs by ann@1000, for 1m more: firmware

VM             HEALTH     READY  FOR  RECOVERY  VMM   NOTE
default/web-1  healthy    yes    9s   on        4242
lab/db         unhealthy  no     9s   on        4242  guest-hung
`,
    });
  });

  it('gives what the daemon gives as one line of JSON', async () => {
    const { run, runtime } = await daemon();
    const { stdout } = await run(['status', '--json']);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(JSON.parse(stdout)).toEqual(runtime.view());
    expect(JSON.parse((await run(['status', 'web-1', '--json'])).stdout)).toEqual(vmView('default/web-1'));
  });

  it('shows one VM with its probes', async () => {
    const { run } = await daemon();
    const { stdout } = await run(['status', 'default/web-1']);
    expect(stdout).toMatch(/^default\/web-1\n {2}health {8}healthy since 1970-01-01 00:00:01\.000Z/);
    expect(stdout).toContain('VMM           process 4242 since 1970-01-01 00:00:00.500Z\n');
    expect(stdout).toMatch(/PROBE +ROLE +KIND +STATE +FOR +REASON\nreadiness +readiness +httpGet +ok +\S+\n/);
  });

  it('colours on a terminal only, and not where NO_COLOR asks for none', async () => {
    const { run } = await daemon();
    const coloured = '\u001b[32mhealthy\u001b[39m';
    expect((await run(['status'], { isTTY: true, environment: { noColor: false } })).stdout).toContain(
      coloured,
    );
    expect((await run(['status'], { isTTY: true, environment: { noColor: true } })).stdout).not.toContain(
      '\u001b',
    );
    expect((await run(['status'], { isTTY: false, environment: { noColor: false } })).stdout).not.toContain(
      '\u001b',
    );
  });

  it('escapes what a guest may have written', async () => {
    const { run, runtime } = await daemon();
    runtime.vms = [vmView('default/web-1', { note: 'title \u001b]0;owned\u0007\nVM healthy' })];
    const { stdout } = await run(['status']);
    expect(stdout).toContain('title \\u001b]0;owned\\u0007\\u000aVM healthy');
    expect(JSON.parse((await run(['status', '--json'])).stdout).vms[0].note).toContain('\u001b]0;owned');
  });

  it('says so when nothing is watched', async () => {
    const { run, runtime } = await daemon();
    runtime.vms = [];
    expect((await run(['status'])).stdout).toContain('no VMs are watched');
  });

  it('watches: shows it again after an event, and ends well on Ctrl-C', async () => {
    const { socket, runtime } = await daemon();
    const { child, output, ended } = startCli(['status', '--watch', '--socket', socket]);
    await vi.waitFor(() => expect(output.stdout).toContain('1 unhealthy'), PATIENCE);
    await vi.waitFor(() => expect(runtime.listeners).toBe(1), PATIENCE);
    runtime.vms = [vmView('default/web-1')];
    runtime.emit({ text: 'lab/db is gone' });
    await vi.waitFor(() => expect(output.stdout).toContain('1 VM: 1 healthy'), PATIENCE);
    expect(output.stdout).not.toContain('\u001b');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 0, stderr: '' });
  });

  it('watches: ends with 69 when the daemon goes away', async () => {
    const { socket, runtime, stop, server } = await daemon();
    const { ended } = startCli(['status', '--watch', '--json', '--socket', socket]);
    await vi.waitFor(() => expect(runtime.listeners).toBe(1), PATIENCE);
    stop.abort();
    server.close();
    server.closeAllConnections();
    expect(await ended).toMatchObject({
      status: 69,
      stderr: expect.stringContaining('ERR_VMPULSE_DAEMON_UNREACHABLE'),
    });
  });
});

describe('vmpulse policy show', () => {
  it('shows each value as it would be written, and who said it', async () => {
    const { run } = await daemon();
    const { status, stdout } = await run(['policy', 'show', 'web-1']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^default\/web-1\n\nOPTION +VALUE +FROM\nenabled +false +default\n/);
    expect(stdout).toMatch(/\ngrace +2m +RecoveryPolicy web\n/);
    expect(stdout).toMatch(/\nbackoff\.cap +5m +default\n/);
    expect(JSON.parse((await run(['policy', 'show', 'web-1', '--json'])).stdout)).toMatchObject({
      vm: 'default/web-1',
      recovery: { graceMs: 120_000 },
      origins: { graceMs: 'RecoveryPolicy web' },
    });
  });
});

describe('vmpulse config unset --all', () => {
  it('says that what was set for VMs stays', async () => {
    const lifecycle = new FakeLifecycle();
    const { run } = await daemon({ lifecycle });
    const all = ['config', 'unset', '--all'];
    expect(await run(all)).toMatchObject({ status: 0, stderr: '' });
    const set = { value: true, author: 'ann@1000', reason: '', atMs: 1, untilMs: null };
    lifecycle.overrides.push({ ...set, vm: null, path: 'logLevel' });
    lifecycle.overrides.push({ ...set, vm: 'lab/db', path: 'recovery.enabled' });
    const stays = (what: string) =>
      `vmpulse: what was set for ${what} stays; vmpulse config unset --vm VM --all withdraws it\n`;
    expect(await run(all)).toMatchObject({ status: 0, stderr: stays('lab/db') });
    expect(await run([...all, '--vm', 'lab/db'])).toMatchObject({ status: 0, stderr: '' });
    lifecycle.overrides.push({ ...set, vm: 'lab/web', path: 'recovery.enabled' });
    expect(await run([...all, '--dry-run'])).toMatchObject({ status: 0, stderr: stays('2 VMs') });
  });
});

describe('vmpulse vm heartbeat-token', () => {
  it('prints the new token and nothing else', async () => {
    const { run, runtime } = await daemon();
    expect(await run(['vm', 'heartbeat-token', 'web-1'])).toEqual({
      status: 0,
      stderr: '',
      stdout: 'a-new_token\n',
    });
    expect(runtime.calls).toEqual([
      ['issueHeartbeatToken', { vm: 'default/web-1', author: expect.stringContaining('@') }],
    ]);
  });
});

describe('vmpulse explain', () => {
  it('tells the story of a VM', async () => {
    const { run } = await daemon();
    const { status, stdout } = await run(['explain', 'db']);
    expect(status).toBe(0);
    for (const line of [
      /^lab\/db is recovering since 1970-01-01 00:00:02\.000Z/,
      /^! monitor\/lab\/db: the monitor does not greet \(/m,
      /^ {2}The guest kernel panicked\.\n {2}A reset is under way\.$/m,
      /^ {2}liveness +liveness +tcpSocket +failed +\S+ +connect-timeout$/m,
      /^Journal\n {2}1970-01-01 00:00:01\.950Z {2}action-start {2}reset begins$/m,
    ]) {
      expect(stdout).toMatch(line);
    }
    expect(stdout).not.toContain('Earlier episodes');
  });

  it('says of a probe that is not asked what it said before', async () => {
    const { run, runtime } = await daemon();
    const explained = explainView('lab/db');
    const probes = explained.probes.flatMap((probe) => [
      { ...probe, asked: false },
      { ...probe, asked: false, state: 'unknown' as const },
    ]);
    runtime.explain = async () => ({ ...explained, probes });
    const { stdout } = await run(['explain', 'db']);
    expect(stdout).toMatch(/^ {2}liveness +liveness +tcpSocket +not asked +- +was failed: connect-timeout$/m);
    expect(stdout).toMatch(/^ {2}liveness +liveness +tcpSocket +not asked +- *$/m);
  });

  it('gives what the daemon gives as JSON', async () => {
    const { run } = await daemon();
    expect(JSON.parse((await run(['explain', 'lab/db', '--json'])).stdout)).toEqual(explainView('lab/db'));
  });

  it('tells the daemon’s own errors under their codes', async () => {
    const { run } = await daemon();
    expect(await run(['explain', 'nobody'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'vmpulse: no VM named nobody is watched [ERR_VMPULSE_VM_UNKNOWN]\n',
    });
  });
});

describe('commands to the daemon', () => {
  const me = expect.stringMatching(/^ann@1000 \(says \S+@\d+\)$/);

  it('hold and resume recovery, with who and why', async () => {
    const { run, runtime } = await daemon();
    const held = await run(['recovery', 'hold', '--vm', 'web-1', '--for', '1h30m', '--reason', 'firmware']);
    expect(held).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^recovery held: default\/web-1 by ann@1000 .*: firmware\n$/),
    });
    expect((await run(['recovery', 'resume', '--vm', 'web-1'])).stdout).toBe('nothing holds recovery\n');
    await run(['recovery', 'hold', '--reason', 'all']);
    await run(['recovery', 'resume']);
    expect(runtime.calls).toEqual([
      ['hold', { vm: 'default/web-1', reason: 'firmware', author: me, forMs: 5_400_000 }],
      ['resume', { vm: 'default/web-1', author: me }],
      ['hold', { vm: null, reason: 'all', author: me, forMs: null }],
      ['resume', { vm: null, author: me }],
    ]);
  });

  it('release a VM', async () => {
    const { run, runtime } = await daemon();
    expect(await run(['vm', 'release', 'db'])).toMatchObject({
      status: 0,
      stdout: 'lab/db released; it is unhealthy\n',
    });
    expect(runtime.calls).toEqual([['release', { vm: 'lab/db', author: me }]]);
  });

  it('begin and end the maintenance of a VM', async () => {
    const { run, runtime } = await daemon();
    const begun = await run(['vm', 'maintenance', 'begin', 'db', '--for', '1h', '--reason', 'update']);
    expect(begun).toMatchObject({ status: 0, stdout: 'lab/db is in maintenance; it is unhealthy\n' });
    expect(await run(['vm', 'maintenance', 'end', 'db'])).toMatchObject({
      status: 0,
      stdout: 'maintenance of lab/db is over; it is unhealthy\n',
    });
    expect(runtime.calls).toEqual([
      ['beginMaintenance', { vm: 'lab/db', reason: 'update', author: me, forMs: 3_600_000 }],
      ['endMaintenance', { vm: 'lab/db', author: me }],
    ]);
  });

  it('schedule maintenance of a VM', async () => {
    const { run, runtime } = await daemon();
    expect(await run(['vm', 'schedule', 'reboot', 'db', '--reason', 'kernel'])).toMatchObject({
      status: 0,
      stdout: 'reboot of lab/db is scheduled; vmpulse explain lab/db says when\n',
    });
    expect(runtime.calls).toEqual([
      ['schedule', { vm: 'lab/db', step: 'reboot', reason: 'kernel', author: me }],
    ]);
    expect((await run(['vm', 'schedule', 'power-cycle', 'db', '--reason', 'x'])).status).toBe(64);
  });

  it('list and clear what persons want', async () => {
    const { run, runtime } = await daemon();
    await run(['recovery', 'hold', '--vm', 'web-1', '--reason', 'firmware']);
    expect((await run(['intent', 'list'])).stdout).toMatch(
      /^hold: default\/web-1 by ann@1000 .*: firmware\n$/,
    );
    expect(JSON.parse((await run(['intent', 'list', '--json'])).stdout).intents).toHaveLength(1);
    expect((await run(['intent', 'clear', '--vm', 'web-1'])).stdout).toBe('nobody wants anything\n');
    expect(runtime.calls.at(-1)).toEqual(['clearIntents', { vm: 'default/web-1', author: me }]);
  });

  it('list recurring maintenance, what a guest wrote without its control characters', async () => {
    const { run } = await daemon();
    expect((await run(['maintenance', 'list'])).stdout.split('\n')).toEqual([
      'VM             NAME     DOES            NEXT (UTC)        STATE                    LAST',
      'default/web-1  journal  journal-vacuum  2030-01-02 03:00  waiting: it is degraded  2030-01-01 03:00 failed: no\\u001b[31m output',
      '',
    ]);
    const { entries } = JSON.parse((await run(['maintenance', 'list', '--json'])).stdout);
    expect(entries).toMatchObject([{ name: 'journal', last: { result: 'failed' } }]);
  });

  it('reload and tell what changed, or the whole error with 78', async () => {
    const view: Omit<Awaited<ReturnType<ApiOptions['reload']>>, 'dryRun'> = {
      added: ['a/new'],
      removed: ['a/old'],
      changed: [
        { id: 'a/vm', restartRequired: true, what: ['hypervisor.memoryMiB', 'probes'] },
        { id: 'a/x', restartRequired: false, what: [] },
      ],
      settings: { changed: ['limits'], restartRequired: ['limits'] },
      warnings: ['odd'],
    };
    const good = await daemon({ reload: async ({ dryRun }) => ({ dryRun, ...view }) });
    const lines = [
      '+ a/new',
      '- a/old (not watched any more; it runs on)',
      '~ a/vm (hypervisor.memoryMiB, probes, registered anew; restart of the VM required)',
      '~ a/x',
      '~ settings of the daemon: limits',
      '! odd',
    ];
    expect((await good.run(['reload'])).stdout.split('\n')).toEqual([
      ...lines,
      'reloaded: 1 added, 1 removed, 2 changed',
      '',
    ]);
    expect((await good.run(['reload', '--dry-run'])).stdout.split('\n')).toEqual([
      ...lines,
      'nothing done (--dry-run); a reload would be 1 added, 1 removed, 2 changed',
      '',
    ]);
    expect(JSON.parse((await good.run(['reload', '--json'])).stdout)).toEqual({ dryRun: false, ...view });
    const message = 'a.yaml:3:1 x: is odd; write y\na.yaml:9:2 z: is odd too';
    const bad = await daemon({
      reload: () => Promise.reject(new VmpulseError('ERR_VMPULSE_CONFIG', message)),
    });
    expect(await bad.run(['reload'])).toEqual({
      status: 78,
      stdout: '',
      stderr: `vmpulse: ${message} [ERR_VMPULSE_CONFIG]\n`,
    });
  });
});

describe('a daemon that answers oddly', () => {
  async function answering(status: number, body: string): Promise<string> {
    const socket = join(testFolder(), 'odd.sock');
    const server = createServer((_request, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(body),
    );
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return socket;
  }

  it.each([
    ['no JSON', 200, '<html>', /does not fit/],
    ['another shape', 200, '{"version":3}', /another version/],
    ['an error without a code', 502, '{"message":"no"}', /status 502/],
    [
      'an error with a code that is not ours',
      500,
      '{"error":{"code":"ERR_OTHER","message":"m"}}',
      /status 500/,
    ],
  ])('%s is told and ends with 70', async (_what, status, body, message) => {
    const told = await runCommandLine(['status', '--socket', await answering(status, body)]);
    expect(told).toMatchObject({ status: 70, stdout: '', stderr: expect.stringMatching(message) });
  });

  it('a socket that has ended is told as such', async () => {
    const { socket, server } = await daemon();
    const { renameSync } = await import('node:fs');
    renameSync(socket, `${socket}.kept`);
    await new Promise((resolve) => server.close(resolve));
    renameSync(`${socket}.kept`, socket);
    expect(await runCommandLine(['status', '--socket', socket])).toMatchObject({
      status: 69,
      stderr: expect.stringContaining('it has ended'),
    });
  });
});
