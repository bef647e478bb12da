import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../native/engine/support.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MINUTE = 60_000;
const ADDONS = {
  engine: join('native', 'engine', 'build', 'engine.node'),
  kernel: join('build-cmake', 'Release', 'kernel.node'),
};

/** Uses the library as a host program would. */
const PROGRAM = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { ProbeEngine, Vmpulse } from './dist/index.js';
import { readProcessStat } from './dist/kernel/process.js';
const told = [];
const engine = new ProbeEngine({ onFallback: (error) => told.push(error.code) });
const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
await once(server, 'listening');
const ask = async (check) => (await engine.probeOnce(check, { timeoutMs: 5000 })).outcome;
const endpoint = { ip: '127.0.0.1', port: server.address().port };
const tcp = await ask({ kind: 'tcpSocket', endpoint, close: 'rst' });
const child = spawn('sleep', ['600']);
await once(child, 'spawn');
const { startTimeTicks } = readProcessStat(child.pid);
const check = { kind: 'vmmProcess', pid: child.pid, startTimeTicks };
const alive = await ask(check);
const other = await ask({ ...check, startTimeTicks: startTimeTicks + 1 });
const timing = { initialDelayMs: 60_000, periodMs: 60_000, timeoutMs: 1000, successThreshold: 1, failureThreshold: 3 };
engine.add([{ id: 'vmm', check, timing, startState: 'ok' }]);
const events = engine.transitions();
child.kill('SIGKILL');
const { value } = await events.next();
await events.return();
const gone = await ask(check);
const vmpulse = new Vmpulse({ vms: [], engine, runDir: process.argv[2], stateDir: process.argv[2] });
await vmpulse.start();
const degradations = vmpulse.view().degradations.map(({ what }) => what);
await vmpulse.close();
await engine.close();
server.close();
console.log(JSON.stringify({ backend: engine.backend, told, tcp, alive, other, gone, end: value[0].reason, degradations }));
`;

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vmpulse-without-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A copy of the built package without some of its addons. */
function packageWithout(...left: readonly (keyof typeof ADDONS)[]): string {
  const copy = mkdtempSync(join(dir, 'package-'));
  for (const name of ['dist', 'package.json'])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const name of ['engine', 'kernel'] as const) {
    if (left.includes(name) || !existsSync(join(ROOT, ADDONS[name]))) continue;
    mkdirSync(dirname(join(copy, ADDONS[name])), { recursive: true });
    cpSync(join(ROOT, ADDONS[name]), join(copy, ADDONS[name]));
  }
  writeFileSync(join(copy, 'program.mjs'), PROGRAM);
  return copy;
}

async function node(cwd: string, ...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, args, { cwd, timeout: MINUTE });
}

async function useLibrary(copy: string): Promise<unknown> {
  const { stdout } = await node(copy, 'program.mjs', mkdtempSync(join(dir, 'run-')));
  return JSON.parse(stdout);
}

const SAYS = {
  tcp: { result: 'ok' },
  alive: { result: 'ok' },
  other: { result: 'failed', reason: 'process-gone' },
  gone: { result: 'failed', reason: 'process-gone' },
  end: 'process-gone',
};

/** A daemon without VMs, ended with the test. */
async function startDaemon(copy: string): Promise<{ status: () => Promise<string>; daemon: ChildProcess }> {
  const home = mkdtempSync(join(dir, 'daemon-'));
  mkdirSync(join(home, 'vms.d'));
  const config = join(home, 'config.yaml');
  const socket = join(home, 'run', 'vmpulse.sock');
  writeFileSync(config, `stateDir: ${join(home, 'state')}\nrunDir: ${join(home, 'run')}\nlogLevel: info\n`);
  const daemon = spawn(process.execPath, ['dist/cli/main.js', 'run', '--config', config], {
    cwd: copy,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void daemon.kill('SIGKILL'));
  let log = '';
  daemon.stderr?.setEncoding('utf8').on('data', (text) => {
    log += text;
  });
  await eventually(() => {
    if (daemon.exitCode !== null) throw new Error(`the daemon ended: ${log}`);
    return log.includes('"msg":"ready"');
  }, 'the daemon');
  return {
    daemon,
    status: async () => (await node(copy, 'dist/cli/main.js', 'status', '--socket', socket)).stdout,
  };
}

describe('a package without the engine addon', () => {
  it('probes with the portable engine and says so once', { timeout: 2 * MINUTE }, async () => {
    const said = await useLibrary(packageWithout('engine'));
    expect(said).toMatchObject({ ...SAYS, backend: 'portable', told: ['ERR_VMPULSE_NATIVE'] });
  });

  it('runs the daemon, whose status says so', { timeout: 2 * MINUTE }, async () => {
    const { status, daemon } = await startDaemon(packageWithout('engine'));
    expect(await status()).toMatch(/^! engine: the portable engine is used: the engine addon/m);
    daemon.kill('SIGTERM');
    await eventually(() => daemon.exitCode === 0, 'its end');
  });
});

describe('a package without the kernel addon', () => {
  it('watches processes by PID and start time, and says what is left out', {
    timeout: 2 * MINUTE,
  }, async () => {
    const said = await useLibrary(packageWithout('kernel'));
    expect(said).toMatchObject({ ...SAYS, degradations: expect.arrayContaining(['kernel-addon']) });
  });

  it('runs the daemon, whose status says so', { timeout: 2 * MINUTE }, async () => {
    const copy = packageWithout('kernel', 'engine');
    const { status, daemon } = await startDaemon(copy);
    const text = await status();
    expect(text).toMatch(/^! kernel-addon: processes are known by PID and start time .*only one/m);
    expect(text).toMatch(/^! engine: the portable engine is used/m);
    const probe = await node(copy, 'dist/cli/main.js', 'probe', 'process', String(daemon.pid), '--json');
    expect(JSON.parse(probe.stdout)).toMatchObject({ outcome: 'ok' });
    daemon.kill('SIGTERM');
    await eventually(() => daemon.exitCode === 0, 'its end');
  });
});
