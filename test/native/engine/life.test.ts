import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { openEngine, tcpServer, within } from './support.js';

/** Workers and children run the built package. */
const ENGINE = new URL('../../../dist/engine/index.js', import.meta.url).href;

/** An engine under load: many targets, channels that never connect, calls without an end, a consumer. */
const LOAD = `
  const { ProbeEngine } = await import(${JSON.stringify(ENGINE)});
  const engine = new ProbeEngine({ engine: 'native', threads: 2 });
  const timing = { initialDelayMs: 0, periodMs: 50, timeoutMs: 40, successThreshold: 1, failureThreshold: 1 };
  const endpoint = { ip: '127.0.0.1', port };
  const tcp = { kind: 'tcpSocket', endpoint, close: 'rst' };
  const http = { kind: 'httpGet', endpoint, http: { scheme: 'http', port, path: '/', headers: [] } };
  const channels = Array.from({ length: 20 }, (_, i) => engine.openChannel({ protocol: i % 2 ? 'qga' : 'qmp', path: dir + '/nobody-' + i }));
  engine.add(Array.from({ length: 1000 }, (_, i) => ({
    id: 't' + i,
    check: [tcp, http, { kind: 'external' }, { kind: i % 8 > 3 ? 'vmState' : 'guestAgentPing', channel: channels[i % 20].handle }][i % 4],
    timing,
    startState: 'unknown',
  })));
  for (let i = 0; i < 50; i += 1) {
    engine.probeOnce(http, { timeoutMs: 60000 }).catch(() => {});
    channels[i % 20].request('query-status', undefined, { deadlineMs: 60000 }).catch(() => {});
  }
  const events = engine.transitions();
  const first = await events.next();
`;

function run(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

it('engines of the main thread and of workers live side by side', async () => {
  const { port } = await tcpServer();
  const dir = testFolder();
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { port, dir } = workerData;
    ${LOAD}
    const stats = engine.stats();
    await engine.close();
    parentPort.postMessage(stats.targets);
  `;
  const engine = openEngine();
  const workers = [1, 2].map(() => workerOf(code, { port, dir }));
  const answers = await within(Promise.all(workers.map(run)), 'the workers');
  expect(answers).toEqual([1000, 1000]);
  const result = await engine.probeOnce(
    { kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port }, close: 'fin' },
    { timeoutMs: 5000 },
  );
  expect(result.outcome).toEqual({ result: 'ok' });
});

it('100 workers are terminated under load without harm', { timeout: 120_000 }, async () => {
  const { server, port } = await tcpServer();
  // Thousands of connections: one that is not read would keep its descriptor after its reset.
  server.on('connection', (socket) => socket.resume());
  const dir = testFolder();
  const code = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { port, dir } = workerData;
    ${LOAD}
    parentPort.postMessage('loaded');
    for await (const batch of events) { if (batch.length === 0) break; }
  `;
  let loaded = 0;
  for (let round = 0; round < 25; round += 1) {
    const workers = [1, 2, 3, 4].map(() => workerOf(code, { port, dir }));
    // Two are ended once they are loaded, one while it loads, one at once.
    const [a, b, c, d] = workers;
    const immediately = d?.terminate();
    const [first, second] = await within(
      Promise.all([a, b].map((worker) => (worker === undefined ? undefined : run(worker)))),
      'two loaded workers',
    );
    loaded += Number(first === 'loaded') + Number(second === 'loaded');
    await within(Promise.all([immediately, a?.terminate(), b?.terminate(), c?.terminate()]), 'the ends');
  }
  expect(loaded).toBe(50);
});

function workerOf(code: string, workerData: object): Worker {
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const worker = new Worker(url, { workerData });
  worker.on('error', () => {});
  onTestFinished(() => void worker.terminate());
  return worker;
}

/** Runs a module in a process of its own; resolves with its exit and how long after its last line that came. */
async function child(
  code: string,
): Promise<{ status: number | null; sinceOutputMs: number; output: string }> {
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void process_.kill('SIGKILL'));
  let output = '';
  let outputAt = Date.now();
  process_.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    outputAt = Date.now();
  });
  const [status] = await within(once(process_, 'close'), 'the end of the process');
  return { status: typeof status === 'number' ? status : null, sinceOutputMs: Date.now() - outputAt, output };
}

async function loadedChild(
  after: string,
): Promise<{ status: number | null; sinceOutputMs: number; output: string }> {
  const { port } = await tcpServer();
  const dir = testFolder();
  return child(
    `const port = ${port}; const dir = ${JSON.stringify(dir)}; ${LOAD} console.log('loaded'); ${after}`,
  );
}

it('a process ends soon after close(), whatever is outstanding', async () => {
  const { status, sinceOutputMs, output } = await loadedChild('await engine.close(); console.log("closed");');
  expect(output).toBe('loaded\nclosed\n');
  expect(status).toBe(0);
  // Each request alone would keep it for a minute.
  expect(sinceOutputMs).toBeLessThan(15_000);
});

it.each([
  ['process.exit()', 'process.exit(3)', 3],
  ['an uncaught error', 'throw new Error("expected by the test")', 1],
])('a process ends by %s under load', async (_name, end, code) => {
  const { status, output } = await loadedChild(
    `process.on('uncaughtException', () => process.exit(1)); ${end}`,
  );
  expect(output).toBe('loaded\n');
  expect(status).toBe(code);
});

it('an engine that nobody waits for does not keep its process alive; a waiting call does', async () => {
  const code = `
    const { ProbeEngine } = await import(${JSON.stringify(ENGINE)});
    const engine = new ProbeEngine();
    engine.add([{ id: 'x', check: { kind: 'external' }, startState: 'unknown',
      timing: { initialDelayMs: 0, periodMs: 50, timeoutMs: 40, successThreshold: 1, failureThreshold: 1 } }]);
    engine.probeOnce({ kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port: 1 }, close: 'rst' }, { timeoutMs: 5000 })
      .then((result) => console.log(result.outcome.reason));
  `;
  expect(await child(code)).toMatchObject({ status: 0, output: 'connection-refused\n' });
  const refed = `${code} engine.ref(); setTimeout(() => { console.log('still'); engine.unref(); }, 300).unref();`;
  expect((await child(refed)).output).toBe('connection-refused\nstill\n');
});
