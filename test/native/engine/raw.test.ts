import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openEngine, within } from './support.js';

/** The network namespace of a test. */
let namespace = '';

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
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

it('the portable engine has no raw sockets and says so', async () => {
  const engine = openEngine({ engine: 'portable' });
  const check = { kind: 'tcpHalfOpen', endpoint: { ip: '127.0.0.1', port: 22 } } as const;
  const result = await engine.probeOnce(check, { timeoutMs: 1000 });
  expect(result).toMatchObject({
    outcome: { result: 'inconclusive', reason: 'prober-resources' },
    details: { message: expect.stringContaining('npm run build:engine') },
  });
});
