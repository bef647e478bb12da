import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import { testFolder } from '../../fixtures/folder.js';
import { freePort } from '../../fixtures/ports.js';
import { vmView } from '../daemon/fake-runtime.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';
import { MAIN, startCli } from './run-cli.js';

async function daemon() {
  const served = await serve();
  const run = (...args: readonly string[]) => runCommandLine([...args, '--socket', served.socket]);
  return { ...served, run };
}

describe('vmpulse status', () => {
  it('shows the VMs that are chosen, and JSON has only these', async () => {
    const { run } = await daemon();
    const { stdout } = await run('status', 'web-*');
    expect(stdout).toContain('1 VM: 1 healthy');
    expect(stdout).not.toContain('lab/db');
    const { vms, host } = JSON.parse((await run('status', '--health-status', 'unhealthy', '--json')).stdout);
    expect({ host, ids: vms.map(({ id }: { id: string }) => id) }).toEqual({
      host: 'host-1',
      ids: ['lab/db'],
    });
  });

  it('--all counts them, and names those that are not well', async () => {
    const { run, runtime } = await daemon();
    runtime.vms = [...Array.from({ length: 3 }, (_, i) => vmView(`a/web-${i}`)), ...runtime.vms.slice(1)];
    expect((await run('status', '--all')).stdout).toBe(
      '4 VMs on host-1\n  healthy: 3 (75 %)\n  unhealthy: 1 (25 %)\n    lab/db: guest-hung\nstarts and recoveries in 24 h: none\n',
    );
  });

  it('--verbose adds the probes of each', async () => {
    const { run } = await daemon();
    expect((await run('status', '--verbose')).stdout).toMatch(/\n\nlab\/db\nPROBE +ROLE[^\n]*\nreadiness /);
  });
});

describe('vmpulse status --check-now', () => {
  it('asks every probe of the VMs, and says what they say', async () => {
    const { run, runtime } = await daemon();
    const { status, stdout } = await run('status', '--check-now');
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^default\/web-1\nPROBE +ROLE +KIND +RESULT +TOOK +WHY\nreadiness +readiness +httpGet +failed +1000\.4 ms +connect-timeout: no answer\\u001b\[31m\n\nlab\/db\n/,
    );
    expect(runtime.calls).toEqual([
      ['check', 'default/web-1'],
      ['check', 'lab/db'],
    ]);
    const { vms } = JSON.parse((await run('status', 'db', '--check-now', '--json')).stdout);
    expect(vms).toMatchObject([{ vm: 'lab/db', results: [{ outcome: { reason: 'connect-timeout' } }] }]);
  });

  it('ends well where all is well, and tells of VMs that could not be asked', async () => {
    const { run, runtime } = await daemon();
    const { now } = runtime.checks;
    runtime.checks.now = async (vm) => (await now(vm)).map((one) => ({ ...one, outcome: { result: 'ok' } }));
    expect(await run('status', '--check-now')).toMatchObject({ status: 0 });
    runtime.checks.now = async (vm) => {
      if (vm === 'lab/db') throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', 'gone meanwhile');
      return now(vm);
    };
    const { status, stdout, stderr } = await run('status', '--check-now');
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'vmpulse: lab/db: gone meanwhile [ERR_VMPULSE_VM_UNKNOWN]\n',
    });
    expect(stdout).toContain('default/web-1\n');
  });

  it('goes with neither --watch nor --all', async () => {
    const { run } = await daemon();
    for (const other of ['--watch', '--all'])
      expect(await run('status', '--check-now', other)).toMatchObject({ status: 64 });
  });
});

describe('what was done to VMs', () => {
  async function withRecoveries() {
    const served = await daemon();
    const startMs = Date.now() - 3_600_000;
    const entry = (atMs: number, vm: string, type: 'action-start' | 'action-end', data: object) => {
      const seq = served.runtime.entries.length + 1;
      const base = { seq, atMs, vm, type, actionId: `a-${vm}`, text: `reset of ${vm}` };
      served.runtime.entries.push({ ...base, data: { ...data } });
    };
    for (const [vm, atMs] of [
      ['lab/db', startMs],
      ['default/web-1', startMs - 30 * 86_400_000],
    ] as const) {
      const evidence = [{ text: 'no answer\u001b[31m' }];
      const diagnosis = { kind: 'guest-hung', cause: 'all-paths-dead', evidence };
      entry(atMs, vm, 'action-start', { step: 'reset', attempt: 1, diagnosis });
      entry(atMs + 5_000, vm, 'action-end', { result: 'done' });
    }
    return served;
  }

  it('is listed, as far back as --last says', async () => {
    const { run } = await withRecoveries();
    const { stdout } = await run('status', '--recovery-history');
    expect(stdout).toMatch(
      /^TIME \(UTC\) +VM +ISSUE +ACTION +RESULT +TOOK\n\S+ \S+ +lab\/db +guest-hung \(all-paths-dead\) +reset +done +5s\n$/,
    );
    const { recoveries } = JSON.parse(
      (await run('status', '--recovery-history', '--last', '60d', '--json')).stdout,
    );
    expect(recoveries).toMatchObject([{ vm: 'lab/db' }, { vm: 'default/web-1', result: 'done' }]);
    expect((await run('status', 'web-1', '--recovery-log')).stdout).toBe(
      'nothing was done to any VM in that time\n',
    );
  });

  it('is told with its reasons by --recovery-log', async () => {
    const { run } = await withRecoveries();
    const { stdout } = await run('status', 'db', '--recovery-log', '--last', '1d');
    expect(stdout).toContain('  Issue: guest-hung (all-paths-dead): no answer\\u001b[31m\n');
    expect(stdout).toMatch(/ {2}Action: reset \(attempt 1\)\n {2}Result: done, 5s/);
    expect((await run('status', '--all')).stdout).toContain('starts and recoveries in 24 h: 1 (1 done)\n');
  });

  it('is counted by --all of the VMs that are chosen, also of one', async () => {
    const { run } = await withRecoveries();
    const { stdout } = await run('status', 'web-1', '--all');
    expect(stdout).toBe('1 VM on host-1\n  healthy: 1 (100 %)\nstarts and recoveries in 24 h: none\n');
    expect((await run('status', '--all', '--health-status', 'unhealthy')).stdout).toContain(
      'in 24 h: 1 (1 done)',
    );
  });
});

describe('a long history of recoveries', () => {
  it('is cut, which is said in every format', async () => {
    const { run, runtime } = await daemon();
    runtime.history.recoveries = async () => ({ recoveries: [], next: 'more' });
    const cut = 'only the newest 20000 recoveries of that time were looked at\n';
    expect((await run('status', '--recovery-log')).stdout).toContain(cut);
    expect((await run('status', '--all')).stdout).toContain(cut);
    const { stdout } = await run('status', '--recovery-history', '--json');
    expect(JSON.parse(stdout)).toEqual({ recoveries: [], truncated: true });
  });

  it('of one VM is asked for, and nothing else', async () => {
    const { run, runtime } = await daemon();
    const asked: unknown[] = [];
    runtime.history.recoveries = async ({ vm }) => {
      asked.push(vm);
      return { recoveries: [], next: null };
    };
    expect((await run('status', 'web-1', '--recovery-log')).stdout).not.toContain('newest');
    await run('status', 'web-1', 'db', '--recovery-log');
    expect(asked).toEqual(['default/web-1', undefined]);
  });
});

describe('vmpulse autopilot', () => {
  it('status takes what status takes, and refuses the same', async () => {
    const { run } = await daemon();
    const { stdout } = await run('status', '--verbose');
    expect((await run('autopilot', 'status', '--verbose')).stdout).toBe(stdout);
    expect(await run('autopilot', 'status', '--check-now', '--all')).toMatchObject({ status: 64 });
  });

  it('config --show is data as well, and takes nothing that would set something', async () => {
    const { run } = await daemon();
    const { vms } = JSON.parse((await run('autopilot', 'config', '*', '--show', '--json')).stdout);
    expect(vms).toMatchObject([{ vm: 'default/web-1' }, { vm: 'lab/db', settings: [{ path: 'logLevel' }] }]);
    expect((await run('autopilot', 'config', 'db', '--show')).stdout).toMatch(/^lab\/db\nSETTING/);
    for (const more of [['--level', 'standard'], ['--ssh-check', 'true'], ['--for', '2h'], ['--dry-run']])
      expect(await run('autopilot', 'config', 'db', '--show', ...more)).toMatchObject({
        ...{ status: 64, stdout: '' },
        stderr: expect.stringContaining("'--show' cannot be used with"),
      });
  });
});

describe('vmpulse status --host', () => {
  it.each(['-oProxyCommand=x', 'a b', '', ',', 'a;b', '$(x)', '../x'])('refuses %j', async (host) => {
    const told = await runCommandLine(['status', `--host=${host}`]);
    expect(told).toMatchObject({ status: 64, stdout: '', stderr: expect.stringContaining('is no host') });
  });

  it('shows whole hosts only', async () => {
    const told = await runCommandLine(['status', 'web-1', '--host', 'a']);
    expect(told).toMatchObject({ status: 64, stderr: expect.stringContaining('whole hosts') });
  });
});

const SSHD = '/usr/sbin/sshd';
const hasSshd = existsSync(SSHD) && process.geteuid?.() === 0;
const why = hasSshd ? '' : ` (left out: needs root and ${SSHD}; node scripts/setup.mjs --ci)`;

function program(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

/** A real sshd on loopback in front of a daemon; resolves with the PATH of a command whose ssh knows it as node-1. */
async function otherHost(socket: string): Promise<{ readonly path: string }> {
  const dir = testFolder();
  const at = (name: string) => join(dir, name);
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-t', 'ed25519', '-q', '-N', '', '-f', at(name)]);
  const port = await freePort();
  const hostKey = execFileSync('cat', [at('host.pub')], { encoding: 'utf8' });
  writeFileSync(at('known'), `[127.0.0.1]:${port} ${hostKey}`);
  mkdirSync(at('there'));
  program(at('there/vmpulse'), `exec ${process.execPath} ${MAIN} "$@"`);
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const lines = [
    `ListenAddress 127.0.0.1\nPort ${port}\nHostKey ${at('host')}\nAuthorizedKeysFile ${at('user.pub')}`,
    `PidFile ${at('pid')}\nStrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no`,
    `KbdInteractiveAuthentication no\nUsePAM no\nSetEnv PATH=${at('there')}:/usr/bin:/bin VMPULSE_SOCKET=${socket}`,
  ];
  writeFileSync(at('sshd_config'), `${lines.join('\n')}\n`);
  const child = spawn(SSHD, ['-D', '-e', '-f', at('sshd_config')], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await vi.waitFor(() => answers(port), { timeout: 60_000, interval: 100 });
  const here = 'StrictHostKeyChecking yes';
  writeFileSync(
    at('config'),
    `Host node-1\nHostName 127.0.0.1\nPort ${port}\nUser root\nIdentityFile ${at('user')}\nUserKnownHostsFile ${at('known')}\n${here}\n` +
      `Host node-2\nHostName 127.0.0.1\nPort ${port}\nUser root\nIdentityFile ${at('host')}\nIdentitiesOnly yes\nUserKnownHostsFile ${at('known')}\n${here}\n`,
  );
  mkdirSync(at('here'));
  program(at('here/ssh'), `exec /usr/bin/ssh -F ${at('config')} "$@"`);
  return { path: `${at('here')}:${process.env.PATH}` };
}

function answers(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('data', () => resolve(socket.destroy() && undefined));
    socket.once('error', reject);
  });
}

describe(`over a real SSH server${why}`, () => {
  it('asks other hosts, and tells which did not answer', { timeout: 180_000 }, async (context) => {
    if (!hasSshd) context.skip('sshd is not installed (node scripts/setup.mjs --ci)');
    const { socket } = await serve();
    const { path } = await otherHost(socket);
    const ask = (...args: readonly string[]) => startCli(['status', ...args], { PATH: path }).ended;
    const { status, stdout, stderr } = await ask('--host', 'node-1,root@node-1');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.match(/^vmpulse 1\.2\.3 on host-1, 2 VMs/gm)).toHaveLength(2);
    const some = await ask('--host', 'node-2,node-1', '--json');
    expect(some.status).toBe(1);
    expect(some.stderr).toMatch(
      /^vmpulse: node-2: it cannot be asked \(.*Permission denied.*\); ssh must reach it without a password \[ERR_VMPULSE_DAEMON_UNREACHABLE\]\n$/,
    );
    const { hosts } = JSON.parse(some.stdout);
    expect(hosts).toMatchObject([{ host: 'node-1', status: { host: 'host-1', vms: [{}, {}] } }]);
  });
});
