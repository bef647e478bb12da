import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Clock, systemClock } from '../../../src/model/clock.js';
import { type CommandOptions, DEFAULT_TIMING } from '../../../src/model/probe.js';
import { type ExternalSetting, lookOnce } from '../../../src/probes/external.js';
import { PROBE_KINDS } from '../../../src/probes/registry.js';
import { testFolder } from '../../fixtures/folder.js';

const SETTING: ExternalSetting = {
  vm: {
    id: 'shop/web-1',
    namespace: 'shop',
    name: 'web-1',
    uuid: '00000000-0000-4000-8000-000000000001',
    address: '192.0.2.10',
  },
  probe: 'backup',
  timing: DEFAULT_TIMING,
  clock: systemClock,
  runInPool: () => Promise.reject(new Error('no pool here')),
  runTogether: () => Promise.reject(new Error('not asked for')),
  resolveHost: () => Promise.reject(new Error('not asked for')),
};
const isRoot = process.geteuid?.() === 0;

function open(argv: readonly string[], options: Partial<CommandOptions> = {}) {
  const probe = PROBE_KINDS.command.open(
    { kind: 'command', command: { argv, env: [], ...options } },
    SETTING,
  );
  if (probe === undefined) throw new Error('a command runs outside the engine');
  return (clock: Clock = systemClock) => lookOnce(probe, { timeoutMs: 20_000, clock });
}

const shell = (script: string, options?: Partial<CommandOptions>) => open(['/bin/sh', '-c', script], options);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The PIDs that a script has written, once there are that many. */
async function pidsIn(path: string, count: number): Promise<number[]> {
  return vi.waitFor(
    () => {
      const pids = readFileSync(path, 'utf8').trim().split('\n').map(Number);
      expect(pids).toHaveLength(count);
      return pids;
    },
    { timeout: 20_000 },
  );
}

/** As root these write where only root may. */
const asSelf: Partial<CommandOptions> = isRoot ? { user: 'root' } : {};

describe('a command', () => {
  it('is ok with status 0, and failed with any other, with what it said', async () => {
    expect(await open(['/bin/true'])()).toEqual({ outcome: { result: 'ok' }, details: { exitCode: 0 } });
    expect(await shell('echo fine; printf "disk \\033[31mfull" >&2; exit 3')()).toEqual({
      outcome: { result: 'failed', reason: 'exec-nonzero' },
      message: 'exit status 3: disk \\u001b[31mfull',
      details: { exitCode: 3 },
    });
    expect(await shell('echo CRITICAL: no route; exit 2')()).toMatchObject({
      message: 'exit status 2: CRITICAL: no route',
    });
    expect(await shell('kill -9 $$')()).toMatchObject({
      outcome: { reason: 'exec-nonzero' },
      message: 'ended by SIGKILL',
    });
  });

  it('gets its arguments as they are: there is no shell', async () => {
    const file = join(testFolder(), 'never');
    expect(await open(['/bin/echo', `$(touch ${file})`, ';', '*'])()).toMatchObject({
      outcome: { result: 'ok' },
    });
    expect(() => readFileSync(file)).toThrow('ENOENT');
  });

  it('gets only the environment that is written for it, and who it is about', async () => {
    const script = 'env | sort >&2; pwd >&2; exit 1';
    const { message } = await shell(script, { env: [['COLOR', 'red']], cwd: '/usr' })();
    // sh adds PWD and more of its own.
    const lines = (message ?? '').split('\\u000a').map((line) => line.replace('exit status 1: ', ''));
    expect(lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line))).toEqual([
      'COLOR=red',
      'LANG=C.UTF-8',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'VMPULSE_PROBE=backup',
      'VMPULSE_TIMEOUT_MS=20000',
      'VMPULSE_VM=shop/web-1',
      'VMPULSE_VM_ADDRESS=192.0.2.10',
      'VMPULSE_VM_NAME=web-1',
      'VMPULSE_VM_NAMESPACE=shop',
      expect.stringMatching(/^VMPULSE_VM_UUID=0000/),
    ]);
  });

  it('runs as nobody, without groups, unless another user is named', async (context) => {
    if (!isRoot) context.skip('only root runs programs as somebody else');
    const script = 'echo $(id -u) $(id -G) >&2; exit 1';
    expect(await shell(script)()).toMatchObject({ message: 'exit status 1: 65534 65534' });
    expect(await shell(script, { user: 'daemon' })()).toMatchObject({ message: 'exit status 1: 1 1' });
    expect(await shell(script, { user: 'root' })()).toMatchObject({ message: 'exit status 1: 0 0' });
  });

  it('that cannot be started says nothing about the VM', async () => {
    const dir = testFolder();
    const plain = join(dir, 'plain');
    writeFileSync(plain, 'no program');
    chmodSync(plain, 0o644);
    const inconclusive = { result: 'inconclusive', reason: 'prober-resources' };
    expect(await open(['/no/such/program'])()).toEqual({
      outcome: inconclusive,
      message: expect.stringMatching(/^\/no\/such\/program cannot be run.*ENOENT/),
    });
    expect(await open([plain])()).toEqual({
      outcome: inconclusive,
      message: expect.stringContaining('EACCES'),
    });
    expect(await open(['/bin/true'], { cwd: '/no/such/directory' })()).toEqual({
      outcome: inconclusive,
      message: expect.stringContaining('there is no directory /no/such/directory'),
    });
    expect(await open(['/bin/true'], { user: 'no-such-user' })()).toEqual({
      outcome: inconclusive,
      message: 'there is no user no-such-user on this host; name another one',
    });
  });

  it('may write much: the rest is dropped, and only the beginning is told', async () => {
    const { outcome, message } = await shell('yes gone | head -c 500000 >&2; exit 1')();
    expect(outcome).toEqual({ result: 'failed', reason: 'exec-nonzero' });
    expect(message?.length).toBeLessThan(3000);
  });

  it('is ended at its deadline with all that it has started, however deaf', async () => {
    const file = join(testFolder(), 'pids');
    // Only the first run is deaf.
    const script = `test -s ${file} && exit 0; trap '' TERM; sleep 1000 & echo $! >>${file}; (sleep 1000; true) & echo $! >>${file}; echo $$ >>${file}; while :; do sleep 1; done`;
    const look = shell(script, asSelf);
    let deadline = () => {};
    const first = look({
      ...systemClock,
      at(_atMs, fn) {
        deadline = fn;
        return () => {};
      },
    });
    const pids = await pidsIn(file, 3);
    expect(pids.filter(isAlive)).toEqual(pids);
    deadline();
    // It ignores SIGTERM: until SIGKILL has come, a further one is not started.
    expect(await look()).toEqual({
      outcome: { result: 'inconclusive', reason: 'prober-resources' },
      message: 'the former run has not ended yet',
    });
    expect(await first).toEqual({ outcome: { result: 'failed', reason: 'response-timeout' } });
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 20_000 });
    // The probe hears of its end a little later.
    await vi.waitFor(async () => expect((await look()).outcome).toEqual({ result: 'ok' }), {
      timeout: 20_000,
    });
  });

  it('leaves nothing behind when it ends by itself', async () => {
    const file = join(testFolder(), 'pids');
    const script = `sleep 1000 & echo $! >>${file}; exit 0`;
    expect((await shell(script, asSelf)()).outcome).toEqual({ result: 'ok' });
    const [pid = 0] = await pidsIn(file, 1);
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 20_000 });
  });

  it('is not waited for when something that has left it holds its output open', async () => {
    const file = join(testFolder(), 'pids');
    const script = `setsid sh -c 'echo $$ >>${file}; exec sleep 1000' & while ! test -s ${file}; do :; done; echo gone >&2; exit 4`;
    expect(await shell(script, asSelf)()).toMatchObject({ message: 'exit status 4: gone' });
    for (const pid of await pidsIn(file, 1)) process.kill(pid, 'SIGKILL');
  });

  it('may not have UID 0 under another name', async (context) => {
    if (!isRoot) context.skip('only root has a mount namespace with its own users');
    const dir = testFolder();
    mkdirSync(join(dir, 'x'));
    const passwd = readFileSync('/etc/passwd', 'utf8');
    const alias = passwd.split('\n').find((line) => /^(?!root:)[^:]+:[^:]*:0:/.test(line));
    if (alias === undefined) return expect(passwd).toMatch(/^root:/m);
    expect(await open(['/bin/true'], { user: alias.split(':')[0] ?? '' })()).toMatchObject({
      message: expect.stringContaining('has UID 0'),
    });
  });
});
