import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { place, start } from './real-daemon.js';

/** Each starts processes, on a machine that may be busy. */
const PATIENT = { timeout: 240_000 };
const isRoot = process.geteuid?.() === 0;
const NOT_ROOT = 'only root can act as other users';
const GROUP = 65_533;
const ADMIN = 65_532;
const READER = 65_531;
const STRANGER = 65_530;

/** Asks as a user and group, with no other groups, and prints the status; ends with 7 where the socket does not open. */
const CLIENT = `
const [socketPath, method, path, body] = process.argv.slice(1);
const request = require('node:http').request({ socketPath, method, path }, (answer) => {
  answer.resume();
  console.log(answer.statusCode);
});
request.on('error', (error) => console.log(error.code));
request.end(body);
`;

function askAs(uid: number, gid: number, socket: string, path: string, body?: object): Promise<string> {
  const [method, text] = body === undefined ? ['GET', ''] : ['POST', JSON.stringify(body)];
  const child = spawn(process.execPath, ['-e', CLIENT, socket, method, path, text], { uid, gid });
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk;
    });
    child.once('error', reject);
    child.once('close', () => resolve(out.trim()));
  });
}

describe('the daemon and other users of the host', PATIENT, () => {
  it('lets each do what the configuration says, and records who it was', async (ctx) => {
    if (!isRoot) ctx.skip(NOT_ROOT);
    const here = place(
      `api:\n  socketGroup: '${GROUP}'\n  access:\n    admin: ['${ADMIN}']\n    read: ['${READER}']\n`,
    );
    const { child, ended } = await start(here);
    chmodSync(here.dir, 0o711);
    expect(statSync(here.socket)).toMatchObject({ gid: GROUP, uid: 0 });
    expect(statSync(here.socket).mode & 0o777).toBe(0o660);
    const hold = { reason: 'test', author: 'root@0' };
    const asked = (uid: number, gid: number) =>
      Promise.all([
        askAs(uid, gid, here.socket, '/v1/status'),
        askAs(uid, gid, here.socket, '/v1/recovery/hold', hold),
        askAs(uid, gid, here.socket, '/v1/apply', { files: [], dryRun: true }),
      ]);
    expect(await asked(ADMIN, GROUP)).toEqual(['200', '200', '200']);
    expect(await asked(STRANGER, GROUP)).toEqual(['200', '200', '403']);
    expect(await asked(READER, GROUP)).toEqual(['200', '403', '403']);
    expect(await asked(STRANGER, STRANGER)).toEqual(['EACCES', 'EACCES', 'EACCES']);
    child.kill('SIGTERM');
    await ended;
    const journal = new Database(join(here.dir, 'state', 'journal.db'));
    const rows = journal.prepare("SELECT text FROM entries WHERE type = 'operator' ORDER BY seq").all([]);
    journal.close();
    expect(rows).toEqual([
      { text: `recovery of all VMs held by uid@${ADMIN} (says root@0): test` },
      { text: `recovery of all VMs held by uid@${STRANGER} (says root@0): test` },
    ]);
  });
});

describe('vmpulse run refuses', PATIENT, () => {
  it('a group for its socket that there is not', async () => {
    expect(await runCli(place('api:\n  socketGroup: no-such-group\n').run)).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('groupadd --system no-such-group'),
    });
  });

  it('a link in the place of its socket, and leaves alone where that points', async () => {
    const here = place();
    mkdirSync(join(here.dir, 'run'));
    const target = join(here.dir, 'target');
    writeFileSync(target, 'precious', { mode: 0o600 });
    symlinkSync(target, here.socket);
    expect(await runCli(here.run)).toMatchObject({
      status: 75,
      stderr: expect.stringContaining('is no socket'),
    });
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(statSync(target).mode & 0o777).toBe(0o600);
  });

  it('a folder for its socket that everyone may write', async () => {
    const here = place();
    mkdirSync(join(here.dir, 'run'));
    chmodSync(join(here.dir, 'run'), 0o777);
    expect(await runCli(here.run)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/run can be written by others.*ERR_VMPULSE_UNTRUSTED/),
    });
    expect(existsSync(here.socket)).toBe(false);
  });

  it('a state directory of somebody else, or that others may write', async (ctx) => {
    const here = place();
    const state = join(here.dir, 'state');
    mkdirSync(state);
    chmodSync(state, 0o777);
    const open = await runCli(here.run);
    expect(open.stderr).toMatch(/state can be written by others.*ERR_VMPULSE_UNTRUSTED/);
    chmodSync(state, 0o755);
    if (!isRoot) ctx.skip(NOT_ROOT);
    chownSync(state, STRANGER, STRANGER);
    const foreign = await runCli(here.run);
    expect(foreign.stderr).toMatch(/state belongs to the user 65530.*ERR_VMPULSE_UNTRUSTED/);
    expect(existsSync(join(state, 'journal.db'))).toBe(false);
  });

  it.each([
    ['a symbolic link', (target: string, path: string) => symlinkSync(target, path)],
    ['a second name of another file', (target: string, path: string) => linkSync(target, path)],
  ])('a journal that is %s', async (_what, make) => {
    const here = place();
    const state = join(here.dir, 'state');
    mkdirSync(state, { mode: 0o750 });
    const target = join(here.dir, 'target');
    writeFileSync(target, 'precious');
    make(target, join(state, 'journal.db'));
    expect((await runCli(here.run)).stderr).toMatch(/journal\.db .*ERR_VMPULSE_UNTRUSTED/);
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });
});
