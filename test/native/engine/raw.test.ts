import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { eventually, openEngine, within } from './support.js';

/** The network namespace of a test. */
let namespace = '';

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function ipOutput(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

/** The kernel brings a device up, and begins to answer for an address of IPv6, some time after it was told to. */
async function usable(where: string, device: string, network: string): Promise<void> {
  await eventually(
    () =>
      ipOutput('-n', where, 'link', 'show', device).includes('state UP') &&
      ipOutput('-n', where, 'addr', 'show', 'dev', device, 'to', network, 'tentative') === '',
    `${device} with its address`,
  );
}

beforeEach((ctx) => {
  if (process.getuid?.() !== 0) return ctx.skip('network namespaces and raw sockets need root');
  namespace = `vmpulse-raw-${process.pid}`;
  ip('netns', 'add', namespace);
  onTestFinished(() => ip('netns', 'del', namespace));
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
});

/** Runs `vmpulse` in the namespace. */
async function vmpulse(...args: readonly string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, 'dist/cli/main.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill());
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  await within(once(child, 'close'), 'the end of vmpulse');
  return { code: child.exitCode, stdout };
}

/** A TCP server in the namespace; gives its port. */
async function serve(address: string): Promise<number> {
  const script = `const server = require('node:net').createServer().listen(0, ${JSON.stringify(address)}, () =>
    console.log(server.address().port));`;
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.kill();
    await once(child, 'exit');
  });
  const [line] = await within(once(child.stdout, 'data'), 'the port of the server');
  return Number(String(line));
}

describe('vmpulse probe with raw sockets', () => {
  it.each(['127.0.0.1', '::1'])('asks a port of %s by a SYN', async (address) => {
    const port = await serve(address);
    const host = address.includes(':') ? `[${address}]` : address;
    const open = await vmpulse('probe', 'syn', `${host}:${port}`, '--timeout', '10s', '--json');
    expect(JSON.parse(open.stdout)).toMatchObject({ kind: 'tcpHalfOpen', outcome: 'ok' });
    expect(open.code).toBe(0);
    const closed = await vmpulse('probe', 'syn', `${host}:1`, '--timeout', '10s', '--json');
    expect(JSON.parse(closed.stdout)).toMatchObject({
      outcome: 'failed',
      reason: 'connection-refused',
    });
    expect(closed.code).toBe(1);
  });
});

describe('vmpulse probe with echos and questions for neighbours', () => {
  it.each(['127.0.0.1', '::1'])('pings %s, and says how long it took', async (address) => {
    const { code, stdout } = await vmpulse('probe', 'icmp', address, '--timeout', '10s', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'icmp', outcome: 'ok' });
    expect(code).toBe(0);
  });

  it('says that nobody answered, and that there is no way', async () => {
    ip('-n', namespace, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
    ip('-n', namespace, 'addr', 'add', '192.0.2.1/24', 'dev', 'near');
    for (const end of ['near', 'far']) ip('-n', namespace, 'link', 'set', end, 'up');
    // The kernel would say that nobody has the address; with an address for it, only silence is left.
    const [mac = ''] =
      /(?<=link.ether )[0-9a-f:]+/.exec(ipOutput('-n', namespace, 'link', 'show', 'far')) ?? [];
    ip('-n', namespace, 'neigh', 'add', '192.0.2.9', 'lladdr', mac, 'dev', 'near', 'nud', 'permanent');
    const silent = await vmpulse('probe', 'icmp', '192.0.2.9', '--timeout', '1s', '--json');
    expect(JSON.parse(silent.stdout)).toMatchObject({ outcome: 'failed', reason: 'no-reply' });
    expect(silent.code).toBe(1);
    const nowhere = await vmpulse('probe', 'icmp', '198.51.100.9', '--timeout', '10s', '--json');
    expect(JSON.parse(nowhere.stdout)).toMatchObject({ outcome: 'inconclusive', reason: 'no-local-route' });
    expect(nowhere.code).toBe(2);
  });

  it.each([
    ['arp', '192.0.2.2', '192.0.2.77', 'another'],
    ['ndp', '2001:db8::2', '2001:db8::77', 'another6'],
  ])('%s asks a neighbour of a bridge, and one that is not there', async (kind, there, nobody, other) => {
    const peer = `${namespace}-${other}`;
    ip('netns', 'add', peer);
    onTestFinished(() => ip('netns', 'del', peer));
    ip('-n', namespace, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', peer);
    const prefix = kind === 'arp' ? '24' : '64';
    const nodad = kind === 'arp' ? [] : ['nodad'];
    ip('-n', namespace, 'addr', 'add', `${there.replace(/2$/, '1')}/${prefix}`, 'dev', 'near', ...nodad);
    ip('-n', peer, 'addr', 'add', `${there}/${prefix}`, 'dev', 'far', ...nodad);
    ip('-n', namespace, 'link', 'set', 'near', 'up');
    ip('-n', peer, 'link', 'set', 'far', 'up');
    await usable(namespace, 'near', `${there}/${prefix}`);
    await usable(peer, 'far', `${there}/${prefix}`);
    const found = await vmpulse('probe', kind, `${there}%near`, '--timeout', '10s', '--json');
    expect(JSON.parse(found.stdout)).toMatchObject({ kind, outcome: 'ok' });
    expect(found.code).toBe(0);
    const missing = await vmpulse('probe', kind, `${nobody}%near`, '--timeout', '1s', '--json');
    expect(JSON.parse(missing.stdout)).toMatchObject({ outcome: 'failed', reason: 'no-reply' });
    expect(missing.code).toBe(1);
  });
});

it('the portable engine has no raw sockets and says so', async () => {
  const engine = openEngine({ engine: 'portable' });
  const check = { kind: 'tcpHalfOpen', endpoint: { ip: '127.0.0.1', port: 22 } } as const;
  const result = await engine.probeOnce(check, { timeoutMs: 1000 });
  expect(result).toMatchObject({
    outcome: { result: 'inconclusive', reason: 'prober-resources' },
    details: { message: expect.stringContaining('npm run build:engine') },
  });
});
