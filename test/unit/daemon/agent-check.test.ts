import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createAgentCheck } from '../../../src/daemon/agent-check.js';
import { FakeRuntime, vmView } from './fake-runtime.js';

let server: Server | undefined;

afterEach(() => {
  server?.close();
});

async function listening(runtime: FakeRuntime): Promise<number> {
  server = createAgentCheck(runtime).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What the agent says to this, until it closes. */
async function ask(port: number, ...parts: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  socket.on('error', () => {});
  for (const part of parts) {
    socket.write(part);
    await new Promise(setImmediate);
  }
  await once(socket, 'close');
  return heard;
}

describe('the agent check of HAProxy', () => {
  it('says up for a VM in the list, down with the reason for another', async () => {
    const runtime = new FakeRuntime();
    runtime.vms = [
      vmView('default/web-1'),
      vmView('default/web-2', { ready: false, health: 'unhealthy', note: 'service # down\nup' }),
    ];
    const port = await listening(runtime);
    expect(await ask(port, 'web-1\n')).toBe('up\n');
    expect(await ask(port, 'default/', 'web-1', '\r\n')).toBe('up\n');
    const down = await ask(port, 'web-2\n');
    expect(down).toMatch(/^down #unhealthy: service {3}down\\u000aup\n$/);
    expect(down.split('\n')).toHaveLength(2);
  });

  it.each([
    ['a VM that there is not', 'nobody\n'],
    ['no name', '\n'],
    ['a name without an end', 'x'.repeat(10_000)],
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['nothing', ''],
  ])('says nothing to %s, so that HAProxy keeps what it has', async (_, sent) => {
    const port = await listening(new FakeRuntime());
    expect(await ask(port, sent)).toBe('');
  });
});

/** In use; without a check of its own a server that is up has `no check`. */
const UP = {
  web: expect.stringMatching(/^no check, agent (\* )?L7OK$/),
  ghost: expect.stringMatching(/^no check, agent (?!(\* )?L7OK)/),
};

describe('a real HAProxy', () => {
  it('takes a server out of its backend and in again, and keeps one whose VM nobody knows', async (context) => {
    if (spawnSync('haproxy', ['-v']).status !== 0) context.skip('haproxy is not installed');
    const runtime = new FakeRuntime();
    const agent = await listening(runtime);
    const dir = mkdtempSync(join(tmpdir(), 'vmpulse-haproxy-'));
    const stats = join(dir, 'stats.sock');
    const server = (name: string, vm: string) =>
      `  server ${name} 127.0.0.1:9 agent-check agent-addr 127.0.0.1 agent-port ${agent} agent-inter 50 agent-send "${vm}\\n"`;
    writeFileSync(
      join(dir, 'haproxy.cfg'),
      [
        `global\n  stats socket ${stats} level admin\ndefaults\n  mode tcp`,
        '  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nbackend web',
        `${server('web', 'web-1')}\n${server('ghost', 'nobody')}\n`,
      ].join('\n'),
    );
    const haproxy = spawn('haproxy', ['-db', '-f', join(dir, 'haproxy.cfg')], { stdio: 'ignore' });
    try {
      const states = { timeout: 15_000, interval: 50 };
      await expect.poll(() => statesOf(stats), states).toEqual(UP);
      runtime.vms = [vmView('default/web-1', { ready: false, health: 'unhealthy' })];
      await expect
        .poll(() => statesOf(stats), states)
        .toMatchObject({ web: expect.stringMatching(/^DOWN \(agent\)/) });
      runtime.vms = [vmView('default/web-1')];
      await expect.poll(() => statesOf(stats), states).toEqual(UP);
    } finally {
      const exited = once(haproxy, 'exit');
      haproxy.kill('SIGKILL');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

/** Server → its status and that of its agent, as HAProxy's statistics have them. */
async function statesOf(path: string): Promise<Record<string, string>> {
  const socket = connect(path).on('error', () => {});
  socket.end('show stat\n');
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  const rows = text.split('\n').map((line) => line.split(','));
  const [status, agent] = ['status', 'agent_status'].map((name) => rows[0]?.indexOf(name) ?? -1);
  return Object.fromEntries(
    rows
      .filter((row) => row[0] === 'web' && row[1] !== 'BACKEND')
      .map((row) => [row[1] ?? '', `${row[status ?? -1]}, agent ${row[agent ?? -1]}`]),
  );
}
