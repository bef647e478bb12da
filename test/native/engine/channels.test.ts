import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ProbeEngine } from '../../../src/engine/index.js';
import type { Channel, ChannelEvent } from '../../../src/engine/probe-engine.js';
import { testFolder } from '../../fixtures/folder.js';
import { Events, eventually, openEngine, target, within } from './support.js';

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

interface Request {
  readonly execute: string;
  readonly id: unknown;
  readonly arguments?: unknown;
}

/** Listens on a Unix socket until the test ends; hands each connection over. */
async function listen(onConnection: (socket: Socket) => void): Promise<{ path: string; server: Server }> {
  const path = join(testFolder(), 'socket');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { path, server };
}

/** A monitor: greets, negotiates, and does with each command what the test says. */
async function monitor(onCommand: (request: Request, socket: Socket) => void): Promise<string> {
  const { path } = await listen((socket) => {
    socket.write(GREETING);
    let rest = '';
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const request: Request = JSON.parse(line);
        if (request.execute === 'qmp_capabilities') answer(socket, request, {});
        else onCommand(request, socket);
      }
    });
  });
  return path;
}

function answer(socket: Socket, request: Request, value: unknown): void {
  socket.write(`${JSON.stringify({ return: value, id: request.id })}\r\n`);
}

function open(engine: ProbeEngine, path: string, protocol: 'qmp' | 'qga' = 'qmp') {
  const channel = engine.openChannel({ protocol, path, reconnectMs: 20, greetingTimeoutMs: 300 });
  const events: ChannelEvent[] = [];
  channel.onEvent((event) => events.push(event));
  return { channel, events };
}

function find(events: readonly ChannelEvent[], type: ChannelEvent['type']): Promise<ChannelEvent> {
  return eventually(() => events.find((event) => event.type === type), `the event ${type}`);
}

const soon = { deadlineMs: 10_000 };

describe('a monitor', () => {
  it('answers commands, refuses them, and tells events', async () => {
    const path = await monitor((request, socket) => {
      if (request.execute === 'refuse') {
        socket.write(
          `${JSON.stringify({ error: { class: 'DeviceNotFound', desc: 'none' }, id: request.id })}\n`,
        );
        return;
      }
      socket.write(
        '{"event": "RESET", "data": {"guest": true}, "timestamp": {"seconds": 1, "microseconds": 2}}\n',
      );
      answer(socket, request, { args: request.arguments });
    });
    const { channel, events } = open(openEngine(), path);
    await find(events, 'connected');
    expect(channel.connected).toBe(true);
    expect(await channel.request('set', { value: [1, 'ü'] }, soon)).toEqual({ args: { value: [1, 'ü'] } });
    expect(await find(events, 'event')).toMatchObject({ name: 'RESET', data: { guest: true } });
    await expect(channel.request('refuse', undefined, soon)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_COMMAND',
      message: 'DeviceNotFound: none',
      details: { class: 'DeviceNotFound' },
    });
    await expect(channel.request('no good', undefined, soon)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
  });

  it('that hangs gives a time-out, and its late answer goes to nobody', async () => {
    const held: (() => void)[] = [];
    const path = await monitor((request, socket) => {
      if (request.execute === 'slow') held.push(() => answer(socket, request, 'late'));
      else for (const release of [...held.splice(0), () => answer(socket, request, 'fresh')]) release();
    });
    const { channel } = open(openEngine(), path);
    await expect(channel.request('slow', undefined, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
    });
    expect(await channel.request('next', undefined, soon)).toBe('fresh');
  });

  it('that sends a line in pieces, and a huge one, is understood', async () => {
    const huge = 'x'.repeat(1024 * 1024);
    const path = await monitor((request, socket) => {
      if (request.execute === 'huge') return answer(socket, request, huge);
      const text = `${JSON.stringify({ return: 'pieces', id: request.id })}\n`;
      socket.write(text.slice(0, 10), () => setImmediate(() => socket.write(text.slice(10))));
    });
    const { channel } = open(openEngine(), path);
    expect(await channel.request('pieces', undefined, soon)).toBe('pieces');
    expect(await channel.request('huge', undefined, soon)).toBe(huge);
  });

  it.each([
    ['garbage', 'SSH-2.0-OpenSSH\r\n', 'protocol-error'],
    ['half a greeting, then the end', '{"QMP": ', 'connection-closed'],
  ])('that sends %s is told as %3$s and tried again', async (_name, text, reason) => {
    let connections = 0;
    const { path } = await listen((socket) => {
      connections += 1;
      socket.end(text);
    });
    const { channel, events } = open(openEngine(), path);
    expect(await find(events, 'disconnected')).toMatchObject({ reason });
    expect(channel.connected).toBe(false);
    await expect(channel.request('stop', undefined, soon)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
    });
    await eventually(() => connections >= 3, 'more tries');
    expect(events.filter((event) => event.type === 'disconnected')).toHaveLength(1);
  });

  it('that sends without end is cut off', async () => {
    const { path } = await listen((socket) => {
      socket.write('{"QMP": "');
      const pour = () => {
        while (!socket.destroyed && socket.write('y'.repeat(65_536)));
      };
      socket.on('drain', pour);
      pour();
    });
    const { events } = open(openEngine(), path);
    expect(['protocol-error', 'response-too-large']).toContain(
      await find(events, 'disconnected').then((event) => ('reason' in event ? event.reason : '')),
    );
  });

  it('that another client holds is busy', async () => {
    const { path, server } = await listen(() => {});
    const engine = openEngine();
    const reader = new Events(engine);
    const { channel, events } = open(engine, path);
    const [handle = 0] = engine.add([target('vm', { kind: 'vmState', channel: channel.handle })]);
    expect(await find(events, 'disconnected')).toMatchObject({ reason: 'channel-busy' });
    await reader.until(handle, 'blind');
    expect(engine.status(handle)).toMatchObject({ reason: 'channel-busy' });
    await expect(channel.request('stop', undefined, soon)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
    });
    server.close();
  });

  it('is closed with its requests; probes on it are inconclusive', async () => {
    const path = await monitor(() => {});
    const engine = openEngine();
    const { channel, events } = open(engine, path);
    await find(events, 'connected');
    const request = channel.request('never', undefined, { deadlineMs: 60_000 });
    const abort = new AbortController();
    const aborted = channel.request('never', undefined, { deadlineMs: 60_000, signal: abort.signal });
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    const [handle = 0] = engine.add([target('vm', { kind: 'vmState', channel: channel.handle })]);
    channel.close();
    channel.close();
    await expect(request).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    await expect(channel.request('x', undefined, soon)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    expect((await new Events(engine).until(handle, 'blind')).reason).toBe('cancelled');
    expect(() => engine.add([target('late', { kind: 'vmState', channel: channel.handle })])).toThrow(
      /no channel/,
    );
  });

  it('keeps events for a listener that comes later, in order and bounded', async () => {
    const path = await monitor((request, socket) => {
      for (let index = 0; index < 400; index += 1) socket.write(`{"event": "E${index}"}\n`);
      answer(socket, request, {});
    });
    const engine = openEngine();
    const channel: Channel = engine.openChannel({ protocol: 'qmp', path });
    await channel.request('flood', undefined, soon);
    const seen: ChannelEvent[] = [];
    await eventually(() => {
      channel.onEvent((event) => seen.push(event));
      return seen.some((event) => event.type === 'event' && event.name === 'E399');
    }, 'the last event');
    const dropped = seen.reduce((sum, event) => sum + (event.type === 'dropped' ? event.count : 0), 0);
    const names = seen.flatMap((event) => (event.type === 'event' ? [event.name] : []));
    expect(dropped).toBeGreaterThan(0);
    expect(names).toEqual(
      Array.from({ length: names.length }, (_, index) => `E${400 - names.length + index}`),
    );
  });
});

describe('an agent', () => {
  it('is synchronised, pinged, and asked one thing at a time', async () => {
    const commands: string[] = [];
    const { path } = await listen((socket) => {
      socket.write('{"return": {"of": "an earlier client"}}\n');
      let rest = '';
      socket.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString('latin1').replaceAll('\xff', '')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const request: Request & { arguments?: { id?: number } } = JSON.parse(line);
          commands.push(request.execute);
          const value = request.execute === 'guest-sync-delimited' ? request.arguments?.id : {};
          const prefix = request.execute === 'guest-sync-delimited' ? [0xff] : [];
          socket.write(
            Buffer.concat([Buffer.from(prefix), Buffer.from(`{"return": ${JSON.stringify(value)}}\n`)]),
          );
        }
      });
    });
    const engine = openEngine();
    const { channel, events } = open(engine, path, 'qga');
    const [handle = 0] = engine.add([target('ga', { kind: 'guestAgentPing', channel: channel.handle })]);
    await find(events, 'connected');
    await new Events(engine).until(handle, 'ok');
    const answers = Array.from({ length: 10 }, () => channel.request('guest-info', undefined, soon));
    expect(await within(Promise.all(answers), 'the answers')).toHaveLength(10);
    expect(commands[0]).toBe('guest-sync-delimited');
    expect(commands).toContain('guest-ping');
  });

  it('that nobody runs fails as not connected', async () => {
    const { path } = await listen(() => {});
    const engine = openEngine();
    const { channel, events } = open(engine, path, 'qga');
    const result = await engine.probeOnce(
      { kind: 'guestAgentPing', channel: channel.handle },
      { timeoutMs: 200 },
    );
    expect(result.outcome).toEqual({ result: 'failed', reason: 'agent-not-connected' });
    expect(await find(events, 'disconnected')).toMatchObject({ reason: 'agent-not-connected' });
    expect(channel.connected).toBe(false);
  });
});
