import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Server, utils } from 'ssh2';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { DEFAULT_TIMING, type SshOptions } from '../../../src/model/probe.js';
import { WorkerPool } from '../../../src/pool/index.js';
import { lookOnce } from '../../../src/probes/external.js';
import { PROBE_KINDS } from '../../../src/probes/registry.js';
import { testFolder } from '../../fixtures/folder.js';

const pool = new WorkerPool({ maxThreads: 1, tasksPerThread: 16 });
afterAll(() => pool.close());

const hostKey = utils.generateKeyPairSync('ed25519');
const otherKey = utils.generateKeyPairSync('ed25519');
const userKey = utils.generateKeyPairSync('ed25519');
const OK = { result: 'ok' };

function fingerprintOf(publicKey: string): string {
  const bytes = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(bytes).digest('base64').replace(/=+$/, '')}`;
}

function secret(text: string, mode = 0o600): string {
  const path = join(testFolder(), 'secret');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function look(port: number, options: Partial<SshOptions>, timeoutMs = 20_000) {
  const probe = PROBE_KINDS.ssh.open(
    { kind: 'ssh', ssh: { host: '127.0.0.1', port, level: 'banner', ...options } },
    {
      probe: 'ssh',
      timing: DEFAULT_TIMING,
      clock: systemClock,
      debug: false,
      runInPool: () => Promise.reject(new Error('not asked for')),
      runTogether: (worker, args, call) => pool.run(worker, args, call),
      resolveHost: async (host) => ({ addresses: [host] }),
    },
  );
  if (probe === undefined) throw new Error('ssh runs outside the engine');
  return lookOnce(probe, { timeoutMs, clock: systemClock });
}

async function listen(server: NetServer | Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A TCP server that does as it is told. */
function rawServer(serve: (socket: Socket) => void): Promise<number> {
  return listen(
    createServer((socket) => {
      socket.on('error', () => {});
      onTestFinished(() => {
        socket.destroy();
      });
      serve(socket);
    }),
  );
}

/** A real SSH server: the user probe with a password or a key; `commands` say what it runs. */
function sshServer(): Promise<number> {
  const allowed = utils.parseKey(userKey.public);
  if (allowed instanceof Error) throw allowed;
  const server = new Server({ hostKeys: [hostKey.private], ident: 'test-server' }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (context) => {
      if (context.username !== 'probe') return context.reject();
      if (context.method === 'password' && context.password === 'secret') return context.accept();
      if (context.method === 'publickey' && context.key.data.equals(allowed.getPublicSSH())) {
        const { blob, signature, hashAlgo } = context;
        if (!signature || (blob && allowed.verify(blob, signature, hashAlgo) === true))
          return context.accept();
      }
      context.reject(['password', 'publickey']);
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, rejectExec, { command }) => {
        if (command === 'refused') return rejectExec();
        const stream = acceptExec();
        if (command === 'hang') return;
        stream.write(`ran ${command}\u001b[31m\n`);
        if (command === 'bad') stream.stderr.write('not well');
        stream.exit(command === 'bad' ? 3 : 0);
        stream.end();
      });
    });
  });
  return listen(server);
}

const password = () => ({ user: 'probe', passwordFile: secret('secret\n'), hostKey: 'any' }) as const;

describe('the banner of an SSH server', () => {
  it('is enough, with what it calls itself', async () => {
    expect(await look(await sshServer(), {})).toEqual({ outcome: OK, details: { software: 'test-server' } });
    const chatty = await rawServer((socket) => socket.write('hello\r\nSSH-1.99-old_\u001b[31m\r\n'));
    expect(await look(chatty, {})).toEqual({ outcome: OK, details: { software: 'old_\\u001b[31m' } });
  });

  it('that does not come is told by how it does not come', async () => {
    const reason = async (port: number, timeoutMs?: number) => (await look(port, {}, timeoutMs)).outcome;
    const closed = await rawServer(() => {});
    expect(await reason(await rawServer((socket) => socket.end()))).toMatchObject({
      reason: 'connection-closed',
    });
    expect(await reason(await rawServer((socket) => socket.resetAndDestroy()))).toMatchObject({
      reason: 'connection-reset',
    });
    expect(await reason(closed, 300)).toMatchObject({ reason: 'response-timeout' });
    expect(await reason(await rawServer((socket) => socket.write('SSH-1.5-ancient\r\n')))).toMatchObject({
      reason: 'protocol-error',
    });
    expect(await reason(await rawServer((socket) => socket.write('x'.repeat(9000))))).toMatchObject({
      reason: 'protocol-error',
    });
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await reason(port)).toMatchObject({ result: 'failed', reason: 'connection-refused' });
  });
});

describe('a log-in', () => {
  it('succeeds with a password and with a key', async () => {
    const port = await sshServer();
    expect((await look(port, { level: 'auth', ...password() })).outcome).toEqual(OK);
    const key = { user: 'probe', privateKeyFile: secret(userKey.private), hostKey: 'any' } as const;
    expect((await look(port, { level: 'auth', ...key })).outcome).toEqual(OK);
  });

  it('that is refused has failed', async () => {
    const port = await sshServer();
    const wrong = { ...password(), passwordFile: secret('guess') };
    expect((await look(port, { level: 'auth', ...wrong })).outcome).toEqual({
      result: 'failed',
      reason: 'authentication-failed',
    });
    const key = { user: 'probe', privateKeyFile: secret(otherKey.private), hostKey: 'any' } as const;
    expect((await look(port, { level: 'auth', ...key })).outcome).toMatchObject({
      reason: 'authentication-failed',
    });
  });

  it('needs the host key that is pinned; another one says nothing about this VM', async () => {
    const port = await sshServer();
    const { hostKey: _, ...user } = password();
    const auth = { level: 'auth', ...user } as const;
    const mismatch = { result: 'inconclusive', reason: 'identity-mismatch' };
    expect((await look(port, { ...auth, fingerprint: fingerprintOf(hostKey.public) })).outcome).toEqual(OK);
    expect(await look(port, { ...auth, fingerprint: fingerprintOf(otherKey.public) })).toMatchObject({
      outcome: mismatch,
      message: `the host key is ssh-ed25519 ${fingerprintOf(hostKey.public)}, not ${fingerprintOf(otherKey.public)}`,
    });
    const known = (line: string) => ({ ...auth, knownHostsFile: secret(`# a comment\n${line}\n`, 0o644) });
    const at = `[127.0.0.1]:${port}`;
    expect((await look(port, known(`other.example,${at} ${hostKey.public}`))).outcome).toEqual(OK);
    expect((await look(port, known(`*,!${at} ${hostKey.public}`))).outcome).toMatchObject({
      result: 'inconclusive',
    });
    expect(await look(port, known(`${at} ${otherKey.public}`))).toMatchObject({
      outcome: mismatch,
      message: expect.stringContaining('does not have'),
    });
    expect(
      await look(port, known(`@revoked ${at} ${hostKey.public}\n${at} ${otherKey.public}`)),
    ).toMatchObject({
      outcome: mismatch,
      message: expect.stringContaining('is revoked'),
    });
    expect(await look(port, known(`127.0.0.1 ${hostKey.public}`))).toMatchObject({
      outcome: { reason: 'prober-resources' },
      message: expect.stringContaining('has no key of 127.0.0.1'),
    });
  });

  it('is not tried with a secret that others can read', async () => {
    const open = { ...password(), passwordFile: secret('secret', 0o644) };
    expect(await look(1, { level: 'auth', ...open })).toMatchObject({
      outcome: { result: 'inconclusive', reason: 'prober-resources' },
      message: expect.stringContaining('mode 644); chmod 600 it'),
    });
    const missing = { ...password(), passwordFile: '/no/such/file' };
    expect(await look(1, { level: 'auth', ...missing })).toMatchObject({
      message: expect.stringContaining('ENOENT'),
    });
    const noKey = { user: 'probe', privateKeyFile: secret('no key'), hostKey: 'any' } as const;
    expect((await look(await sshServer(), { level: 'auth', ...noKey })).outcome).toMatchObject({
      result: 'inconclusive',
    });
  });

  it('to a server that speaks nonsense after its banner has failed', async () => {
    const port = await rawServer((socket) => {
      socket.write('SSH-2.0-liar\r\n');
      socket.write(Buffer.alloc(4096, 0xff));
    });
    expect((await look(port, { level: 'auth', ...password() })).outcome).toMatchObject({
      result: 'failed',
      reason: 'handshake-failed',
    });
    const silent = await rawServer((socket) => socket.write('SSH-2.0-silent\r\n'));
    expect((await look(silent, { level: 'auth', ...password() }, 500)).outcome).toMatchObject({
      reason: 'response-timeout',
    });
  });
});

describe('a command over SSH', () => {
  const run = async (command: string, more: Partial<SshOptions> = {}, timeoutMs?: number) =>
    look(await sshServer(), { level: 'shell', command, ...password(), ...more }, timeoutMs);

  it('is ok with status 0 and the output that is expected', async () => {
    expect(await run('true')).toMatchObject({ outcome: OK, details: { exitCode: 0 } });
    expect(await run('true', { expectOutput: '^ran tr' })).toMatchObject({ outcome: OK });
    expect(await run('true', { expectOutput: 'running' })).toMatchObject({
      outcome: { result: 'failed', reason: 'bad-body' },
      message: 'the output is ran true\\u001b[31m',
    });
  });

  it('has failed with another status, when it is refused, and when it does not end', async () => {
    expect(await run('bad')).toMatchObject({
      outcome: { result: 'failed', reason: 'exec-nonzero' },
      message: 'exit status 3: not well',
      details: { exitCode: 3 },
    });
    expect(await run('refused')).toMatchObject({ outcome: { reason: 'protocol-error' } });
    expect(await run('hang', {}, 1500)).toMatchObject({ outcome: { reason: 'response-timeout' } });
  });
});

const SSHD = '/usr/sbin/sshd';
const hasSshd = existsSync(SSHD) && process.geteuid?.() === 0;

describe(`a real OpenSSH server${hasSshd ? '' : ` (left out: needs root and ${SSHD}; node scripts/setup.mjs --ci)`}`, () => {
  /** One of its own on loopback, with nothing of the system's configuration. */
  async function sshd(): Promise<{ port: number; dir: string }> {
    const dir = testFolder();
    const path = (name: string) => join(dir, name);
    for (const name of ['host_ed25519', 'host_rsa']) {
      const type = name === 'host_rsa' ? ['-t', 'rsa', '-b', '3072'] : ['-t', 'ed25519'];
      expect(spawnSync('ssh-keygen', [...type, '-q', '-N', '', '-f', path(name)]).status).toBe(0);
    }
    writeFileSync(path('authorized_keys'), `${userKey.public}\n`);
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const probe = createServer();
    const port = await listen(probe);
    await new Promise((resolve) => probe.close(resolve));
    const config = [
      'ListenAddress 127.0.0.1',
      `Port ${port}`,
      `HostKey ${path('host_ed25519')}`,
      `HostKey ${path('host_rsa')}`,
      `AuthorizedKeysFile ${path('authorized_keys')}`,
      `PidFile ${path('sshd.pid')}`,
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
    ];
    writeFileSync(path('sshd_config'), `${config.join('\n')}\n`);
    const child: ChildProcess = spawn(SSHD, ['-D', '-e', '-f', path('sshd_config')], { stdio: 'ignore' });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    await vi.waitFor(async () => expect((await look(port, {}, 1000)).outcome).toEqual(OK), {
      timeout: 20_000,
    });
    return { port, dir };
  }

  it('is asked for its banner, a log-in and a command', async (context) => {
    if (!hasSshd) context.skip('sshd is not installed (node scripts/setup.mjs --ci)');
    const { port, dir } = await sshd();
    expect((await look(port, {})).details?.software).toMatch(/^OpenSSH_/);
    const publicRsa = readFileSync(join(dir, 'host_rsa.pub'), 'utf8').trim();
    const user = {
      user: 'root',
      privateKeyFile: secret(userKey.private),
      // The server would rather show its other key.
      knownHostsFile: secret(`[127.0.0.1]:${port} ${publicRsa}\n`),
    };
    expect(await look(port, { level: 'auth', ...user })).toMatchObject({ outcome: OK });
    const shell = { level: 'shell', ...user } as const;
    expect(await look(port, { ...shell, command: 'echo up; true', expectOutput: '^up$' })).toMatchObject({
      outcome: OK,
      details: { exitCode: 0 },
    });
    expect(await look(port, { ...shell, command: 'echo broken >&2; exit 7' })).toMatchObject({
      outcome: { reason: 'exec-nonzero' },
      message: 'exit status 7: broken',
    });
    const stranger = { ...user, privateKeyFile: secret(otherKey.private) };
    expect((await look(port, { level: 'auth', ...stranger })).outcome).toMatchObject({
      reason: 'authentication-failed',
    });
    const pinned = { ...user, knownHostsFile: secret(`[127.0.0.1]:${port} ${otherKey.public}\n`) };
    expect((await look(port, { level: 'auth', ...pinned })).outcome).toMatchObject({
      reason: 'identity-mismatch',
    });
    const hashed = join(dir, 'known');
    writeFileSync(hashed, `[127.0.0.1]:${port} ${publicRsa}\n`);
    expect(spawnSync('ssh-keygen', ['-H', '-f', hashed]).status).toBe(0);
    expect(readFileSync(hashed, 'utf8')).toMatch(/^\|1\|/);
    expect((await look(port, { level: 'auth', ...user, knownHostsFile: hashed })).outcome).toEqual(OK);
  });
});
