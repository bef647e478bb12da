import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reasonOfCall, reasonOfConnection, reasonOfUnixCall } from '../../../src/engine/portable/errno.js';
import { isInconclusive } from '../../../src/model/reasons.js';
import { target, tcpCheck, tcpServer, within } from '../../native/engine/support.js';
import { block, openPortable } from './support.js';

/** Children run the built package. */
const ENGINE = new URL('../../../dist/engine/index.js', import.meta.url).href;

describe('errors', () => {
  it.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'])('%s is about us', (code) => {
    expect([reasonOfCall(code), reasonOfConnection(code)]).toEqual(['prober-resources', 'prober-resources']);
  });

  it.each(['ENETUNREACH', 'ENETDOWN', 'EACCES', 'EPERM'])('%s of a call is no route from here', (code) => {
    expect(reasonOfCall(code)).toBe('no-local-route');
  });

  it.each([
    ['ECONNREFUSED', 'connection-refused'],
    ['EHOSTUNREACH', 'host-unreachable'],
    ['ECONNRESET', 'connection-reset'],
    ['EPIPE', 'connection-reset'],
    ['ETIMEDOUT', 'connect-timeout'],
  ] as const)('%s is about the peer', (code, reason) => {
    expect([reasonOfCall(code), reasonOfConnection(code)]).toEqual([reason, reason]);
  });

  it('the network tells what the host does not know', () => {
    expect(reasonOfConnection('ENETUNREACH')).toBe('network-unreachable');
    expect(reasonOfConnection('EACCES')).toBe('connection-refused');
    expect(isInconclusive(reasonOfUnixCall('EACCES')), 'our permission').toBe(true);
    expect(reasonOfUnixCall('ENOENT')).toBe('connection-refused');
    expect(reasonOfUnixCall('EAGAIN')).toBe('connect-timeout');
  });
});

describe('a blocked host program', () => {
  it('does not believe a time-out that it slept through', async () => {
    const { server, port } = await tcpServer();
    server.on('connection', (socket) => socket.resume());
    const http = { scheme: 'http', port, path: '/', headers: [] } as const;
    const check = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http } as const;
    const probe = openPortable({ lateMs: 50 }).probeOnce(check, { timeoutMs: 200 });
    setTimeout(() => block(600), 20);
    expect((await probe).outcome).toEqual({ result: 'inconclusive', reason: 'prober-late' });
  });

  it('does not believe a time-out that it was kept from seeing coming', async () => {
    const { port } = await tcpServer();
    const http = { scheme: 'http', port, path: '/', headers: [] } as const;
    const check = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http } as const;
    const probe = openPortable({ lateMs: 50 }).probeOnce(check, { timeoutMs: 1500 });
    // Blocked for most of the time, but awake at the deadline.
    for (const delayMs of [20, 400, 800]) setTimeout(() => block(250), delayMs);
    expect((await probe).outcome).toEqual({ result: 'inconclusive', reason: 'prober-late' });
  });

  it('believes an answer that waited for it', async () => {
    const { server, port } = await tcpServer();
    server.on('connection', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    const engine = openPortable({ lateMs: 10_000 });
    const [handle = 0] = engine.add([target('a', tcpCheck(port), { periodMs: 60_000, timeoutMs: 100 })]);
    const probe = engine.probeNow(handle, {});
    setImmediate(() => block(300));
    expect((await probe).outcome).toEqual({ result: 'ok' });
  });
});

/** Runs a module in a process of its own, by a command line in front; resolves with its output. */
async function child(command: readonly string[], code: string): Promise<string> {
  const [file = '', ...args] = [...command, process.execPath, '--input-type=module', '-e', code];
  const process_ = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void process_.kill('SIGKILL'));
  let output = '';
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await within(once(process_, 'close'), 'the end of the process');
  return output.trim();
}

function probeCode(endpoint: string, before = ''): string {
  return `
    import { openSync } from 'node:fs';
    import { ProbeEngine } from ${JSON.stringify(ENGINE)};
    const engine = new ProbeEngine({ engine: 'portable' });
    // Everything that is loaded on first use is loaded now.
    await engine.probeOnce({ kind: 'tcpSocket', endpoint: { unix: '/nobody' }, close: 'rst' }, { timeoutMs: 1000 });
    ${before}
    const result = await engine.probeOnce({ kind: 'tcpSocket', endpoint: ${endpoint}, close: 'rst' }, { timeoutMs: 2000 });
    process.stdout.write(JSON.stringify(result.outcome));
  `;
}

describe('a host in trouble', () => {
  it('that has no descriptor left says so, and blames nobody else', async () => {
    const fill = "for (;;) { try { openSync('/dev/null'); } catch { break; } }";
    const output = await child(
      ['sh', '-c', 'ulimit -n 512; exec "$@"', 'sh'],
      probeCode("{ ip: '127.0.0.1', port: 9 }", fill),
    );
    expect(output).toBe('{"result":"inconclusive","reason":"prober-resources"}');
  });

  it('that has no route says so', async (ctx) => {
    const probe = probeCode("{ ip: '192.0.2.1', port: 9 }");
    const output = await child(['unshare', '--user', '--map-root-user', '--net'], probe);
    if (/unshare: |ENOENT/.test(output)) ctx.skip(`no network namespace can be made here: ${output}`);
    expect(output).toBe('{"result":"inconclusive","reason":"no-local-route"}');
  });
});
