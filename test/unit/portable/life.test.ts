import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import type { TargetCheck } from '../../../src/engine/probe-engine.js';
import type { VmpulseError } from '../../../src/model/errors.js';
import { testFolder } from '../../fixtures/folder.js';
import { target, tcpServer, within } from '../../native/engine/support.js';
import { errorOf, openPortable } from './support.js';

/** Children run the built package. */
const ENGINE = new URL('../../../dist/engine/index.js', import.meta.url).href;

describe('the choice of the engine', () => {
  it('auto takes the portable one where the addon cannot be loaded, and says so once', async () => {
    const told: VmpulseError[] = [];
    const addonPath = join(testFolder(), 'engine.node');
    const engine = new ProbeEngine({ addonPath, onFallback: (error) => told.push(error) });
    onTestFinished(() => engine.close());
    expect(engine.backend).toBe('portable');
    expect(told.map(({ code }) => code)).toEqual(['ERR_VMPULSE_NATIVE']);
    expect(told[0]?.message).toContain(`${addonPath}: no such file`);
    const [handle = 0] = engine.add([
      {
        id: 'x',
        check: { kind: 'external' },
        startState: 'unknown',
        timing: { initialDelayMs: 0, periodMs: 50, timeoutMs: 40, successThreshold: 1, failureThreshold: 1 },
      },
    ]);
    expect(engine.status(handle).state).toBe('unknown');
  });

  it('native does not fall back', () => {
    let told = 0;
    const onFallback = (): void => {
      told += 1;
    };
    const addonPath = join(testFolder(), 'engine.node');
    const error = errorOf(() => new ProbeEngine({ engine: 'native', addonPath, onFallback }));
    expect([error.code, told]).toEqual(['ERR_VMPULSE_NATIVE', 0]);
  });

  it('wrong options are wrong for either', () => {
    let told = 0;
    const onFallback = (): void => {
      told += 1;
    };
    const addonPath = join(testFolder(), 'engine.node');
    const error = errorOf(() => new ProbeEngine({ addonPath, onFallback, threads: 0 }));
    expect([error.code, told]).toEqual(['ERR_VMPULSE_ARGUMENT', 1]);
  });

  it.each<TargetCheck>([
    { kind: 'vsock', endpoint: { cid: 3, port: 1024 } },
    { kind: 'grpc', endpoint: { ip: '127.0.0.1', port: 80 }, grpc: { port: 80 } },
  ])('portable names the engine that can do what it cannot: $kind', (check) => {
    const error = errorOf(() => openPortable().add([target('x', check)]));
    expect(error.code).toBe('ERR_VMPULSE_UNSUPPORTED');
    expect(error.message).toContain('build the native one: npm run build:engine');
  });
});

/** Runs a module in a process of its own; resolves with its exit and how long after its last line that came. */
async function child(code: string): Promise<{ status: unknown; sinceOutputMs: number; output: string }> {
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
  return { status, sinceOutputMs: Date.now() - outputAt, output };
}

const TIMING = '{ initialDelayMs: 0, periodMs: 50, timeoutMs: 40, successThreshold: 1, failureThreshold: 1 }';

describe('the process', () => {
  it('ends soon after close(), whatever is outstanding', async () => {
    const { port } = await tcpServer();
    const { status, sinceOutputMs, output } = await child(`
      import { ProbeEngine } from ${JSON.stringify(ENGINE)};
      const engine = new ProbeEngine({ engine: 'portable' });
      const endpoint = { ip: '127.0.0.1', port: ${port} };
      const http = { kind: 'httpGet', endpoint, http: { scheme: 'http', port: ${port}, path: '/', headers: [] } };
      const channels = Array.from({ length: 20 }, (_, i) =>
        engine.openChannel({ protocol: i % 2 ? 'qga' : 'qmp', path: ${JSON.stringify(testFolder())} + '/nobody-' + i }));
      engine.add(Array.from({ length: 400 }, (_, i) => ({
        id: 't' + i,
        check: [{ kind: 'tcpSocket', endpoint, close: 'rst' }, http, { kind: 'external' },
          { kind: i % 8 > 3 ? 'vmState' : 'guestAgentPing', channel: channels[i % 20].handle }][i % 4],
        timing: ${TIMING},
        startState: 'unknown',
      })));
      for (let i = 0; i < 50; i += 1) {
        engine.probeOnce(http, { timeoutMs: 60000 }).catch(() => {});
        channels[i % 20].request('query-status', undefined, { deadlineMs: 60000 }).catch(() => {});
      }
      await engine.transitions().next();
      console.log('loaded');
      await engine.close();
      console.log('closed');
    `);
    expect(output).toBe('loaded\nclosed\n');
    expect(status).toBe(0);
    // Each request alone would keep it for a minute.
    expect(sinceOutputMs).toBeLessThan(15_000);
  });

  it('is not kept alive by an engine that nobody waits for, but by a waiting call and by ref()', async () => {
    const { port } = await tcpServer();
    const code = `
      import { ProbeEngine } from ${JSON.stringify(ENGINE)};
      const engine = new ProbeEngine({ engine: 'portable', lateMs: 10_000 });
      const http = { scheme: 'http', port: ${port}, path: '/', headers: [] };
      const check = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port: ${port} }, http };
      engine.openChannel({ protocol: 'qmp', path: '/nonexistent/qmp' });
      engine.add([{ id: 'x', check: { kind: 'external' }, startState: 'unknown', timing: ${TIMING} }]);
      engine.probeOnce(check, { timeoutMs: 300 }).then((result) => console.log(result.outcome.reason));
    `;
    expect(await child(code)).toMatchObject({ status: 0, output: 'response-timeout\n' });
    const refed = `${code} engine.ref(); setTimeout(() => { console.log('still'); engine.unref(); }, 900).unref();`;
    expect(await child(refed)).toMatchObject({ status: 0, output: 'response-timeout\nstill\n' });
  });
});
