import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isAlive, processesNaming } from '../../demo/processes.mjs';
import { createWorld, destroyWorld } from '../../demo/world.mjs';
import { openJournal } from '../../src/runtime/journal/index.js';
import { needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { MINUTE, type World } from './world.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
/** Inside the package, where `import 'vmpulse'` means the package itself. */
const BUILD = join(ROOT, 'build');

let built: string;
const running: ChildProcess[] = [];

beforeAll(() => {
  mkdirSync(BUILD, { recursive: true });
  built = mkdtempSync(join(BUILD, 'examples-'));
  execFileSync(process.execPath, [TSC, '-p', join(ROOT, 'examples'), '--outDir', built]);
}, 2 * MINUTE);

afterAll(() => {
  rmSync(built, { recursive: true });
  if (readdirSync(BUILD).length === 0) rmdirSync(BUILD);
});

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

interface Example {
  readonly child: ChildProcess;
  readonly lines: () => string[];
  /** Resolves once a line has the text, at or after the line with this index; with the index of the next line. */
  readonly said: (text: string, from?: number) => Promise<number>;
  readonly ended: Promise<number | null>;
}

/** Runs a compiled example. */
function start(name: string, ...args: string[]): Example {
  const child = spawn(process.execPath, [join(built, `${name}.js`), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const lines = () => output.split('\n').slice(0, -1);
  const said = (text: string, from = 0) =>
    poll(`"${text}" from ${name}`, 2 * MINUTE, () => {
      const at = lines().findIndex((line, i) => i >= from && line.includes(text));
      if (at >= 0) return at + 1;
      throw new Error(`it said: ${output.slice(-2_000)}`);
    });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, lines, said, ended };
}

function listen(): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function addressOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `127.0.0.1:${address.port}`;
}

describe('examples/embed.ts', () => {
  it('prints the changes of two targets, and ends on Ctrl-C', { timeout: MINUTE }, async () => {
    const servers = [await listen(), await listen()] as const;
    const [stays, goes] = [addressOf(servers[0]), addressOf(servers[1])];
    const example = start('embed', stays, goes);
    await example.said(`${stays}: unknown → ok`);
    await example.said(`${goes}: unknown → ok`);
    await new Promise((resolve) => servers[1].close(resolve));
    await example.said(`${goes}: ok → failed (connection-refused)`);
    example.child.kill('SIGINT');
    expect(await example.ended).toBe(0);
    expect(example.lines()).toHaveLength(3);
    await new Promise((resolve) => servers[0].close(resolve));
  });
});

describe('examples/daemon.ts', () => {
  let world: World | undefined;
  let example: Example | undefined;

  afterEach(async () => {
    if (world && example) await destroyWorld(world, example.child);
    world = undefined;
    example = undefined;
  }, MINUTE);

  it('has the last word before a recovery', { timeout: 4 * MINUTE }, async (context) => {
    world = await createWorld(needsLab(context), ['a']);
    const { dir } = world;
    const vmms = () => processesNaming(`${dir}/run`).filter(isAlive);
    example = start('daemon', world.config);
    const { child, said, ended } = example;
    await said('watching 1 VMs');
    const healthy = await said('→ healthy');

    const veto = join(dir, 'run', 'backup-running');
    writeFileSync(veto, '');
    const [vmm] = vmms();
    process.kill(vmm?.pid ?? 0, 'SIGKILL');
    const held = await said('demo/a: start held: beforeAction: backup of demo/a runs', healthy);
    expect(vmms()).toEqual([]);
    rmSync(veto);
    const carriedOut = await said('demo/a: start carried out', held);
    await said('→ healthy', carriedOut);
    expect(vmms()).toHaveLength(1);

    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(vmms()).toHaveLength(1);
    const journal = await openJournal({ path: join(dir, 'state', 'journal.db') });
    const { entries } = await journal.query({ vm: 'demo/a', order: 'oldest', limit: 1_000 });
    const texts = entries.map(({ text }) => text);
    await journal.close();
    expect(texts).toContain('start held: beforeAction: backup of demo/a runs');
  });
});
