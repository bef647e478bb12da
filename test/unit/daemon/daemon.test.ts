import { chownSync, closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { freePort } from '../../fixtures/ports.js';
import { runCommandLine } from '../cli/in-process.js';
import { runCli, startCli } from '../cli/run-cli.js';
import { ask, logLines, PATIENCE, place, ready, start } from './real-daemon.js';

/** Each starts processes, on a machine that may be busy. */
const PATIENT = { timeout: 240_000 };

describe('vmpulse run', PATIENT, () => {
  it.each([
    'SIGTERM',
    'SIGINT',
  ] as const)('answers on its socket until %s, leaves nothing in the way, and starts again', async (signal) => {
    const here = place();
    const first = await start(here);
    const status = await ask(here, 'status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ pid: first.child.pid, vms: [] });
    first.child.kill(signal);
    expect(await first.ended).toMatchObject({ status: 0, stdout: '' });
    expect(existsSync(here.socket)).toBe(false);
    const second = await start(here);
    expect(JSON.parse((await ask(here, 'status', '--json')).stdout)).toMatchObject({ pid: second.child.pid });
  });

  it('keeps commands of people in its journal, with who gave them', async () => {
    const here = place();
    const { child, ended } = await start(here);
    await ask(here, 'recovery', 'hold', '--reason', 'firmware');
    child.kill('SIGTERM');
    await ended;
    const journal = new Database(join(here.dir, 'state', 'journal.db'));
    const rows = journal.prepare("SELECT text FROM entries WHERE type = 'operator'").all([]);
    journal.close();
    expect(rows).toEqual([
      { text: expect.stringMatching(/^recovery of all VMs held by \S+@\d+: firmware$/) },
    ]);
    await start(here);
    expect((await ask(here, 'status')).stdout).toMatch(/! recovery held: all VMs by .*: firmware\n/);
  });

  it('takes settings while it runs, keeps them over a restart, and ends by itself what was set for a time', async () => {
    const here = place('logLevel: info\n');
    const tell = (...args: string[]) => runCommandLine([...args, '--socket', here.socket]);
    const { child, ended } = await start(here);
    const why = ['--reason', 'slow switch'];
    const set = await tell('config', 'set', 'health_monitor.timeout', '30s', '--for', '2h', ...why);
    expect(set.stdout).toMatch(/^\+ probes\.timeout = 30s by \S+@\d+ until .*: slow switch\n/);
    expect(await tell('config', 'set', 'logLevel', 'loud')).toMatchObject({ status: 78, stdout: '' });
    child.kill('SIGKILL');
    await ended;
    await start(here);
    expect((await tell('config', 'get', 'health_monitor')).stdout).toContain('timeout = 30s\n');
    expect((await tell('config', 'show')).stdout).toMatch(/probes\.timeout +30s +override by .*\n/);
    expect((await tell('config', 'unset', 'probes.timeout')).stdout).toMatch(/^- probes\.timeout = 30s by /);
    expect((await tell('config', 'get', 'probes.timeout')).stdout).toBe('1s\n');
    await tell('config', 'set', 'probes.failureThreshold', '9', '--for', '1s');
    await vi.waitFor(
      async () => expect((await tell('config', 'get', 'probes.failureThreshold')).stdout).toBe('3\n'),
      PATIENCE,
    );
    expect(readFileSync(here.config, 'utf8')).toBe('logLevel: info\n');
  });

  it('takes the place of a killed one', async () => {
    const here = place();
    const { child, ended } = await start(here);
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(here.socket)).toBe(true);
    await start(here);
    expect((await ask(here, 'status')).status).toBe(0);
  });

  it('reloads on command and on SIGHUP, whole or not at all', async () => {
    const here = place('logLevel: info\n');
    const { child, output } = await start(here);
    writeFileSync(here.config, 'logLevel: loud\nhostname: x\n');
    const bad = await ask(here, 'reload');
    expect(bad).toMatchObject({ status: 78, stdout: '' });
    expect(bad.stderr).toContain(`${here.config}:1:`);
    expect(bad.stderr).toContain(`${here.config}:2:`);
    const degraded = async () => JSON.parse((await ask(here, 'status', '--json')).stdout).degradations;
    const shown = { what: 'configuration', why: expect.stringContaining(`${here.config}:1:`) };
    expect(await degraded()).toContainEqual(expect.objectContaining(shown));
    expect(await ask(here, 'reload', '--dry-run')).toMatchObject({ status: 78, stdout: '' });
    writeFileSync(here.config, 'logLevel: debug\nhostName: other\n');
    const dry = JSON.parse((await ask(here, 'reload', '--dry-run', '--json')).stdout);
    expect(dry).toMatchObject({
      dryRun: true,
      settings: { changed: ['hostName', 'logLevel'], restartRequired: ['hostName'] },
    });
    expect(await degraded()).toContainEqual(expect.objectContaining(shown));
    const good = await ask(here, 'reload');
    expect(good).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('! hostName changed: it holds after a restart of the daemon\n'),
    });
    expect(await degraded()).not.toContainEqual(expect.objectContaining({ what: 'configuration' }));
    const applied = () =>
      logLines(output.stderr).filter(({ msg }) => msg.startsWith('configuration applied')).length;
    await vi.waitFor(() => expect(applied()).toBe(1), PATIENCE);
    child.kill('SIGHUP');
    await vi.waitFor(() => expect(applied()).toBe(2), PATIENCE);
  });

  it('serves its metrics on the socket, and on a loopback port where that is configured', async () => {
    const port = await freePort();
    const here = place(
      `metrics:\n  listen: 127.0.0.1:${port}\n  seedNames: true\nengine:\n  backend: auto\n`,
    );
    await start(here);
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await answer.text();
    expect(text).toContain('\nvmpulse_up 1\n');
    expect(text).toContain('# TYPE vm_health_check_failed counter');
    expect((await fetch(`http://127.0.0.1:${port}/v1/status`)).status).toBe(404);
    const taken = place(`metrics:\n  listen: 127.0.0.1:${port}\n`);
    expect(await runCli(taken.run)).toMatchObject({
      status: 75,
      stderr: expect.stringMatching(`127.0.0.1:${port} is taken.*ERR_VMPULSE_ADDRESS_IN_USE`),
    });
    expect(existsSync(taken.socket)).toBe(false);
  });

  it('goes on while its log cannot be written, on a full disk or after its reader has gone', async () => {
    const here = place();
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    const { child, ended } = startCli(here.run, {}, { stderr: full });
    await vi.waitFor(async () => expect((await ask(here, 'status')).status).toBe(0), PATIENCE);
    for (let i = 0; i < 3; i++)
      expect((await ask(here, 'recovery', 'hold', '--reason', `r${i}`)).status).toBe(0);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ status: 0 });
    const again = await start(here);
    again.child.stderr?.destroy();
    for (let i = 0; i < 3; i++) expect((await ask(here, 'recovery', 'resume')).status).toBe(0);
    again.child.kill('SIGTERM');
    expect(await again.ended).toMatchObject({ status: 0 });
  });

  it('shows what it lacks when it is not root', async (ctx) => {
    if (process.geteuid?.() !== 0) ctx.skip('already runs as another user than root');
    const here = place();
    for (const path of [here.dir, join(here.dir, 'vms.d')]) chownSync(path, 65_534, 65_534);
    await ready(startCli(here.run, {}, { uid: 65_534 }));
    expect((await ask(here, 'status')).stdout).toMatch(/^! privileges: not run as root: /m);
    const { degradations } = JSON.parse((await ask(here, 'status', '--json')).stdout);
    expect(degradations).toContainEqual(expect.objectContaining({ what: 'privileges' }));
  });
});

describe('vmpulse run refuses', PATIENT, () => {
  it('a state directory that has a daemon, naming it, and leaves that one alone', async () => {
    const here = place();
    const { child } = await start(here);
    const second = await runCli([...here.run, '--run-dir', join(here.dir, 'run2')]);
    expect(second).toMatchObject({ status: 75, stdout: '' });
    expect(second.stderr).toMatch(
      new RegExp(`^vmpulse: process ${child.pid} is the daemon of .*\\[ERR_VMPULSE_LOCKED\\]\\n$`, 's'),
    );
    expect(existsSync(join(here.dir, 'run2', 'vmpulse.sock'))).toBe(false);
    expect((await ask(here, 'status')).status).toBe(0);
  });

  it('a socket that another daemon serves', async () => {
    const here = place();
    await start(here);
    const other = place();
    const second = await runCli([...other.run, '--socket', here.socket]);
    expect(second).toMatchObject({
      status: 75,
      stderr: expect.stringMatching(/another process serves .*ERR_VMPULSE_ADDRESS_IN_USE/),
    });
    expect((await ask(here, 'status')).status).toBe(0);
    await start(other);
  });

  it('a configuration that is not there or not valid, before it touches anything', async () => {
    const here = place('recovery: on and off\n');
    expect(await runCli(here.run)).toMatchObject({
      status: 78,
      stderr: expect.stringMatching(/config\.yaml:1:.*ERR_VMPULSE_CONFIG/s),
    });
    expect(await runCli(['run', '--config', join(here.dir, 'none.yaml')])).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('none.yaml'),
    });
    expect(existsSync(join(here.dir, 'state'))).toBe(false);
    expect(existsSync(join(here.dir, 'run'))).toBe(false);
  });

  it('a state directory that it cannot make', async () => {
    const here = place();
    writeFileSync(join(here.dir, 'state'), 'a file');
    const told = await runCli(here.run);
    expect(told).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/cannot make .*state.*ERR_VMPULSE_SYSCALL/),
    });
  });

  it('the journal of a newer vmpulse, and leaves it as it is', async () => {
    const here = place();
    const { child, ended } = await start(here);
    child.kill('SIGTERM');
    await ended;
    const path = join(here.dir, 'state', 'journal.db');
    const journal = new Database(path);
    journal.exec('PRAGMA user_version = 99');
    journal.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    journal.close();
    const before = readFileSync(path);
    expect(await runCli(here.run)).toMatchObject({
      status: 65,
      stderr: expect.stringMatching(/schema version 99.*ERR_VMPULSE_JOURNAL_VERSION/s),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(existsSync(here.socket)).toBe(false);
  });
});
