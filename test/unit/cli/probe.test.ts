import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeFirecracker } from '../../fakes/firecracker.js';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from './in-process.js';
import { runCli } from './run-cli.js';

async function listen<S extends Server>(
  server: S,
  where: string | { host: string; port: number },
): Promise<S> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (typeof where === 'string') server.listen(where, resolve);
    else server.listen(where, resolve);
  });
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

/** A web server on loopback that keeps the requests it saw. */
async function web(answer: RequestListener): Promise<{ url: string; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const server = createHttpServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  return { url: `http://127.0.0.1:${portOf(await listen(server, { host: '127.0.0.1', port: 0 }))}`, seen };
}

/** Runs `vmpulse probe … --json`. */
async function probe(...args: string[]) {
  const { status, stdout, stderr } = await runCommandLine(['probe', ...args, '--json']);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^\{.*\}\n$/);
  return { status, line: JSON.parse(stdout) };
}

describe('vmpulse probe', () => {
  it('prints exactly the documented members as one line, and ends with 0', async () => {
    const { url } = await web((_request, response) => response.end('hello'));
    const { status, line } = await probe('http', `${url}/healthz`);
    expect(status).toBe(0);
    expect(Object.keys(line)).toEqual([
      'kind',
      'target',
      'outcome',
      'reason',
      'class',
      'durationMs',
      'warnings',
      'details',
    ]);
    expect(line).toEqual({
      kind: 'httpGet',
      target: `${url}/healthz`,
      outcome: 'ok',
      reason: null,
      class: null,
      durationMs: expect.any(Number),
      warnings: [],
      details: expect.objectContaining({ status: 200, bodyBytes: 5 }),
    });
  });

  it('ends with 1 and the reason when the target is bad', async () => {
    const { url } = await web((_request, response) => response.writeHead(503).end());
    expect(await probe('httpGet', url)).toMatchObject({
      status: 1,
      line: { outcome: 'failed', reason: 'bad-status', class: 'invalid-response', details: { status: 503 } },
    });
  });

  it('connects to a port, and is refused by a closed one', async () => {
    const server = await listen(createServer(), { host: '127.0.0.1', port: 0 });
    const target = `127.0.0.1:${portOf(server)}`;
    expect(await probe('tcp', target)).toMatchObject({
      status: 0,
      line: { kind: 'tcpSocket', target, outcome: 'ok' },
    });
    await new Promise((resolve) => server.close(resolve));
    expect(await probe('tcpSocket', target)).toMatchObject({
      status: 1,
      line: { reason: 'connection-refused', class: 'refused' },
    });
  });

  it('sends the headers it is told, without those that are emptied, with the method', async () => {
    const { url, seen } = await web((_request, response) => response.end());
    await probe('http', url);
    await probe(
      'http',
      url,
      '--header',
      'Accept:',
      '--header',
      'X-One: 1',
      '--header',
      'x-two: a b',
      '--method',
      'HEAD',
    );
    await probe('http', url, '--host', 'www.example.test', '--header', 'User-Agent: mine');
    const [plain, custom, named] = seen.map(({ method, headers }) => ({ method, ...headers }));
    expect(plain).toMatchObject({
      method: 'GET',
      accept: '*/*',
      'user-agent': expect.stringMatching(/^vmpulse\//),
    });
    expect(custom).toMatchObject({ method: 'HEAD', 'x-one': '1', 'x-two': 'a b' });
    expect(custom).not.toHaveProperty('accept');
    expect(named).toMatchObject({ host: 'www.example.test', 'user-agent': 'mine' });
  });

  it('looks at status and body as it is told', async () => {
    const { url } = await web((_request, response) => response.writeHead(404).end('all is well'));
    expect((await probe('http', url, '--expect-status', '200-299,404')).status).toBe(0);
    expect(
      (await probe('http', url, '--expect-status', '404', '--expect-body', '^all .* well$')).status,
    ).toBe(0);
    expect(await probe('http', url, '--expect-status', '404', '--expect-body', 'ill')).toMatchObject({
      status: 1,
      line: { reason: 'bad-body' },
    });
  });

  it('gives up in time', async () => {
    const { url } = await web(() => {});
    expect(await probe('http', url, '--timeout', '150ms')).toMatchObject({
      status: 1,
      line: { reason: 'response-timeout', class: 'timeout' },
    });
  });

  it('reaches a server on a Unix socket', async () => {
    const socket = join(testFolder(), 'app.sock');
    await listen(
      createHttpServer((request, response) => response.end(request.url)),
      socket,
    );
    expect(await probe('http', `unix:${socket}:/healthz`)).toMatchObject({
      status: 0,
      line: { details: { bodyBytes: 8 } },
    });
  });

  it('tells a name that does not resolve', async () => {
    expect(await probe('tcp', 'nobody.invalid:80', '--timeout', '5s')).toMatchObject({
      status: 1,
      line: { reason: 'dns-failure', class: 'unreachable' },
    });
  });

  it('asks a monitor and an agent on their sockets', async () => {
    const dir = testFolder();
    const qmp = createServer((socket) => {
      socket.write(
        '{"QMP":{"version":{"qemu":{"micro":0,"minor":0,"major":9},"package":""},"capabilities":[]}}\r\n',
      );
      socket.on('data', (chunk: Buffer) => {
        for (const text of chunk.toString().split('\n').filter(Boolean)) {
          const { execute, id } = JSON.parse(text);
          const value = execute === 'query-status' ? { status: 'running', running: true } : {};
          socket.write(`${JSON.stringify({ return: value, id })}\r\n`);
        }
      });
    });
    await listen(qmp, join(dir, 'qmp'));
    expect(await probe('qmp', join(dir, 'qmp'))).toMatchObject({
      status: 0,
      line: { kind: 'vmState', outcome: 'ok' },
    });
    const fake = await FakeFirecracker.start({ path: join(dir, 'fc'), state: 'Paused' });
    onTestFinished(() => fake.exit());
    expect(await probe('vmstate', `fc:${join(dir, 'fc')}`)).toMatchObject({
      status: 2,
      line: { kind: 'vmState', outcome: 'inconclusive', reason: 'suspended' },
    });
    const silent = createServer(() => {});
    await listen(silent, join(dir, 'silent'));
    expect(await probe('qmp', join(dir, 'silent'), '--timeout', '300ms')).toMatchObject({
      status: 2,
      line: { outcome: 'inconclusive', reason: 'channel-busy', class: 'inconclusive' },
    });
    expect(await probe('qmp', join(dir, 'nothing'))).toMatchObject({
      status: 1,
      line: {
        reason: 'api-unreachable',
        class: 'hypervisor',
        details: { message: expect.stringContaining('connect') },
      },
    });
    const banner = createServer((socket) => void socket.on('error', () => {}).write('SSH-2.0-OpenSSH\r\n'));
    await listen(banner, join(dir, 'banner'));
    expect(await probe('qmp', join(dir, 'banner'))).toMatchObject({
      status: 1,
      line: {
        reason: 'api-error',
        details: { message: expect.stringMatching(/^protocol-error: .*SSH-2\.0-OpenSSH/) },
      },
    });
    expect(await probe('qga', join(dir, 'nothing'))).toMatchObject({
      status: 1,
      line: { reason: 'agent-not-connected', class: 'agent' },
    });
  });

  it('watches a process by its PID or by a file that has it', async () => {
    const pidFile = join(testFolder(), 'vm.pid');
    writeFileSync(pidFile, `${process.pid}\n`);
    expect((await probe('process', String(process.pid))).status).toBe(0);
    expect((await probe('vmmProcess', pidFile)).status).toBe(0);
    expect(await probe('process', '4194303')).toMatchObject({
      status: 1,
      line: { reason: 'process-gone', class: 'gone' },
    });
    writeFileSync(pidFile, 'none\n');
    expect(await runCommandLine(['probe', 'process', pidFile])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('holds no PID'),
    });
  });

  it('asks an SSH server for its banner, and looks into a log', async () => {
    const server = await listen(
      createServer((socket) => void socket.write('SSH-2.0-test\r\n')),
      { host: '127.0.0.1', port: 0 },
    );
    const target = `localhost:${portOf(server)}`;
    expect(await probe('ssh', target, '--timeout', '10s')).toMatchObject({
      status: 0,
      line: { kind: 'ssh', target, outcome: 'ok', details: { software: 'test', address: '127.0.0.1' } },
    });
    const log = join(testFolder(), 'console.log');
    writeFileSync(log, 'booting\nKernel panic\n');
    expect(await probe('console', `${log} Kernel panic`, '--timeout', '10s')).toMatchObject({
      status: 1,
      line: { reason: 'bad-body', details: { message: 'the console says: Kernel panic' } },
    });
    expect(await probe('console', `${log} soft lockup`, '--timeout', '10s')).toMatchObject({ status: 0 });
  });

  it('runs a command of this host', async () => {
    expect(await probe('command', '/bin/true')).toMatchObject({
      status: 0,
      line: { kind: 'command', outcome: 'ok', details: { exitCode: 0 } },
    });
    expect(await probe('cmd', '["/bin/sh", "-c", "echo no; exit 3"]')).toMatchObject({
      status: 1,
      line: { reason: 'exec-nonzero', details: { exitCode: 3, message: 'exit status 3: no' } },
    });
    expect(await probe('command', '/bin/sleep 1000', '--timeout', '200ms')).toMatchObject({
      status: 1,
      line: { reason: 'response-timeout' },
    });
    expect(await probe('command', '/no/such/program')).toMatchObject({
      status: 2,
      line: { reason: 'prober-resources', details: { message: expect.stringContaining('ENOENT') } },
    });
  });

  it('tells a person in one line, and shows the exchange with --debug beside it', async () => {
    const { url } = await web((_request, response) => response.end('hello'));
    const { stdout, stderr, status } = await runCommandLine(['probe', 'http', url, '--debug']);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^ok, HTTP GET http:\/\/127\.0\.0\.1:\d+\/ \(\d+\.\d ms, status 200, bodyBytes 5.*\)\n$/,
    );
    expect(stderr).toMatch(/^> GET \/ HTTP\/1\.1$/m);
    expect(stderr).toMatch(/^< HTTP\/1\.1 200 OK$/m);
    expect((await runCommandLine(['probe', 'tcp', '127.0.0.1:1'])).stdout).toMatch(
      /^failed: connection-refused \(refused\), TCP connect to 127\.0\.0\.1:1 \(/,
    );
  });

  it('ends as soon as it has its answer, as a process of its own', async () => {
    const { url } = await web((_request, response) => response.end());
    const { status, stdout, stderr } = await runCli(['probe', 'http', url, '--json', '--timeout', '20s']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'ok' });
  });
});
