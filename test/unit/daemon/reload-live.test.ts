import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { freePort } from '../../fixtures/ports.js';
import { runCommandLine } from '../cli/in-process.js';
import { startCli } from '../cli/run-cli.js';
import { startSink } from '../metrics/sink.js';
import { Sink } from '../notify/sink.js';
import { PATIENCE, type Place, place, ready, start } from './real-daemon.js';

const CERTS = fileURLToPath(new URL('../../fakes/certs', import.meta.url));

/** Asks a port for its first line, or what went wrong. */
function firstLine(port: number, request: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.setEncoding('utf8');
    socket.once('data', (text: string) => {
      socket.destroy();
      resolve(text.split('\r\n')[0] ?? '');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.once('end', () => resolve(''));
  });
}

const PORT_NAMES = ['metrics.listen', 'heartbeats.listen', 'readiness.agentCheck'] as const;
type PortName = (typeof PORT_NAMES)[number];
const HTTP = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
/** What each is asked, and how it answers. */
const ASKED: Record<PortName, readonly [string, string]> = {
  'metrics.listen': [HTTP, 'HTTP/1.1 200 OK'],
  'heartbeats.listen': [HTTP, 'HTTP/1.1 404 Not Found'],
  'readiness.agentCheck': ['nobody\n', ''],
};

async function answersAt(ports: Record<PortName, number>): Promise<void> {
  for (const path of PORT_NAMES) {
    const [request, answer] = ASKED[path];
    expect(await firstLine(ports[path], request), path).toBe(answer);
  }
}

async function isSilentAt(ports: Record<PortName, number>): Promise<void> {
  for (const path of PORT_NAMES) expect(await firstLine(ports[path], HTTP), path).toBe('ECONNREFUSED');
}

/** Serves on a port, and says which. */
const HOLDER = `const server = require('node:net').createServer();
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

/** A port that somebody else serves. */
async function takePort(): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function teller(here: Place) {
  return (...args: string[]) => runCommandLine([...args, '--socket', here.socket]);
}

describe('a reload of a daemon that runs', { timeout: 240_000 }, () => {
  it('moves ports; an address that is taken leaves all of the former ones', async () => {
    const write = (ports: Partial<Record<PortName, number>>, more = '') => {
      const lines = Object.entries(ports).map(([path, port]) => {
        const [section = '', name = ''] = path.split('.');
        return `${section}: {${name}: '127.0.0.1:${port}'}\n`;
      });
      writeFileSync(here.config, `${lines.join('')}${more}`);
    };
    const free = async () => ({
      'metrics.listen': await freePort(),
      'heartbeats.listen': await freePort(),
      'readiness.agentCheck': await freePort(),
    });
    const [first, second] = [await free(), await free()];
    const taken = await takePort();
    const here = place();
    write(first);
    const tell = teller(here);
    await start(here);
    await answersAt(first);
    for (const path of PORT_NAMES) {
      write({ ...second, [path]: taken }, 'logLevel: debug\n');
      const refusal = { status: 75, stderr: expect.stringContaining(`127.0.0.1:${taken} is taken`) };
      expect(await tell('reload', '--dry-run'), path).toMatchObject(refusal);
      expect(await tell('reload'), path).toMatchObject(refusal);
      await answersAt(first);
      await isSilentAt(second);
      // Nothing else of it holds.
      expect((await tell('config', 'show', '--json')).stdout, path).not.toContain('debug');
    }
    write(second);
    const tried = await tell('reload', '--dry-run');
    expect(tried.status).toBe(0);
    for (const path of PORT_NAMES) expect(tried.stdout).toContain(path);
    await isSilentAt(second);
    const moved = await tell('reload');
    expect(moved).toMatchObject({ status: 0 });
    expect(moved.stdout).not.toContain('restart');
    await answersAt(second);
    await isSilentAt(first);
    write({});
    expect(await tell('reload')).toMatchObject({ status: 0 });
    await isSilentAt(second);
  });

  it('begins, changes and ends the report', async () => {
    const [first, second] = [await Sink.open(), await Sink.open()];
    const here = place();
    const tell = teller(here);
    const token = join(here.dir, 'token');
    writeFileSync(token, 'secret\n');
    const to = ({ port }: Sink) =>
      `report: {url: 'http://127.0.0.1:${port}/', tokenFile: ${token}, interval: 1s}\n`;
    await start(here);
    for (const sink of [first, second]) {
      writeFileSync(here.config, to(sink));
      expect((await tell('reload')).stdout).not.toContain('restart');
      await vi.waitFor(() => expect(sink.received.length).toBeGreaterThan(0), PATIENCE);
      expect(sink.received[0]?.headers.authorization).toBe('Bearer secret');
      expect((await tell('metrics')).stdout).toContain('vmpulse_notification_spool{channel="report"}');
    }
    const told = first.received.length;
    await vi.waitFor(() => expect(second.received.length).toBeGreaterThan(2), PATIENCE);
    expect(first.received.length).toBe(told);
    writeFileSync(here.config, '');
    expect(await tell('reload')).toMatchObject({ status: 0 });
    const after = second.received.length;
    expect((await tell('metrics')).stdout).not.toContain('vmpulse_notification_spool{channel="report"}');
    expect(second.received.length).toBe(after);
  });

  it('sends the metrics elsewhere, and has the names of older dashboards or not', async () => {
    const [first, second] = [await startSink(), await startSink()];
    const here = place();
    const tell = teller(here);
    await start(here);
    for (const sink of [first, second]) {
      writeFileSync(here.config, `metrics: {push: {endpoint: '${sink.url}', every: 1s}}\n`);
      expect((await tell('reload')).stdout).not.toContain('restart');
      await vi.waitFor(() => expect(sink.received.length).toBeGreaterThan(1), PATIENCE);
    }
    const before = first.received.length;
    for (const [written, isThere] of [
      ['metrics: {seedNames: true}\n', true],
      ['', false],
      ['metrics: {seedNames: true}\n', true],
    ] as const) {
      writeFileSync(here.config, written);
      expect(await tell('reload')).toMatchObject({ status: 0 });
      const { stdout } = await tell('metrics');
      expect(stdout.includes('# TYPE vm_health_check_failed counter')).toBe(isThere);
      expect(stdout).toContain('vmpulse_vm_series_available 1');
    }
    expect(first.received.length).toBe(before);
  });

  it('takes other limits, on record, and the same ones without a word', async () => {
    const here = place();
    const tell = teller(here);
    await start(here);
    const limitsTold = async () =>
      (await tell('journal', 'export')).stdout.split('\n').filter((line) => line.includes('"type":"limits"'));
    writeFileSync(here.config, 'limits: {bootsPerMinute: 1, concurrentRecoveries: 7}\n');
    expect((await tell('reload')).stdout).not.toContain('restart');
    await vi.waitFor(async () => expect(await limitsTold()).toHaveLength(1), PATIENCE);
    const [entry = ''] = await limitsTold();
    const limits = { maxBootsPerMinute: 1, maxConcurrentRecoveries: 7, brakeRatio: 0.3 };
    expect(JSON.parse(entry)).toMatchObject({ type: 'input', data: { event: { limits } } });
    expect(await tell('reload')).toMatchObject({ status: 0 });
    expect(await limitsTold()).toHaveLength(1);
  });

  it('makes a network that is new, and leaves the bridge of one that is gone', async (context) => {
    const name = `vmpulse-reload-${process.pid}`;
    if (spawnSync('ip', ['netns', 'add', name]).status !== 0)
      context.skip('no network namespace can be made here: it needs CAP_SYS_ADMIN');
    onTestFinished(() => {
      spawnSync('ip', ['netns', 'del', name]);
    });
    spawnSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    const inside = ['ip', 'netns', 'exec', name];
    const here = place();
    const tell = teller(here);
    await ready(startCli(here.run, {}, { under: inside }));
    const links = (): readonly string[] => {
      const text = execFileSync('ip', ['netns', 'exec', name, 'ip', '-json', 'addr'], { encoding: 'utf8' });
      return z
        .array(z.object({ ifname: z.string(), addr_info: z.array(z.object({ local: z.string() })) }))
        .parse(JSON.parse(text))
        .flatMap(({ ifname, addr_info }) => [ifname, ...addr_info.map(({ local }) => `${ifname} ${local}`)]);
    };
    for (const [bridge, address] of [
      ['vmp0', '10.77.0.1'],
      ['vmp1', '10.78.0.1'],
    ]) {
      writeFileSync(here.config, `networks: [{bridge: ${bridge}, address: ${address}/24}]\n`);
      const reloaded = await tell('reload');
      expect(reloaded.stdout).toContain('settings of the daemon: networks');
      expect(reloaded.stdout).not.toContain('restart');
      expect(links()).toContain(`${bridge} ${address}`);
      const { networks, problems } = JSON.parse((await tell('network', 'check', '--json')).stdout);
      expect(networks).toMatchObject([{ bridge }]);
      expect(problems).toEqual([]);
    }
    expect(links()).toContain('vmp0 10.77.0.1');

    // A network and what is listened on at its address are one change.
    const wanted = (network: string, port: number, metrics: number) =>
      writeFileSync(
        here.config,
        `networks: [{bridge: ${network}, address: 10.79.0.1/24}]\nheartbeats: {listen: '10.79.0.1:${port}'}\nmetrics: {listen: '127.0.0.1:${metrics}'}\n`,
      );
    const taken = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', HOLDER], { stdio: 'pipe' });
    onTestFinished(() => void taken.kill('SIGKILL'));
    const [held] = z.tuple([z.instanceof(Buffer)]).parse(await once(taken.stdout, 'data'));
    wanted('vmp2', 8080, Number(String(held)));
    expect(await tell('reload')).toMatchObject({ status: 75, stderr: expect.stringContaining('is taken') });
    expect(links()).not.toContain('vmp2');
    wanted('vmp2', 8080, 8081);
    expect(await tell('reload', '--dry-run')).toMatchObject({ status: 0 });
    expect(links()).not.toContain('vmp2');
    expect(await tell('reload')).toMatchObject({ status: 0 });
    expect(links()).toContain('vmp2 10.79.0.1');
    const listening = execFileSync('ip', ['netns', 'exec', name, 'ss', '-Hltn'], { encoding: 'utf8' });
    expect(listening).toContain('10.79.0.1:8080');
  });

  it('tells in a dry run all that would keep it from taking effect', async () => {
    const here = place();
    const tell = teller(here);
    await start(here);
    const [certificate, key] = [join(here.dir, 'tls.pem'), join(here.dir, 'tls.key')];
    copyFileSync(join(CERTS, 'good.pem'), certificate);
    copyFileSync(join(CERTS, 'wrong-name.key.pem'), key);
    const taken = await takePort();
    const configure = (more = '') =>
      writeFileSync(
        here.config,
        `api:\n  listen: {address: '127.0.0.1:${taken}', certificate: ${certificate}, key: ${key}}\n${more}`,
      );
    configure(`metrics: {listen: '127.0.0.1:${taken}'}\n`);
    const { status, stderr } = await tell('reload', '--dry-run');
    expect(status).toBe(78);
    expect(stderr).toMatch(/do not fit.*; .*is taken/);
    copyFileSync(join(CERTS, 'good.key.pem'), key);
    configure();
    expect(await tell('reload', '--dry-run')).toMatchObject({
      status: 75,
      stderr: expect.stringContaining('is taken'),
    });
    configure('hostName: other\n');
    writeFileSync(
      here.config,
      `api:\n  listen: {address: '127.0.0.1:${await freePort()}', certificate: ${certificate}, key: ${key}}\nhostName: other\n`,
    );
    expect(await tell('reload', '--dry-run')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('! hostName changed: it holds after a restart of the daemon'),
    });
  });
});
