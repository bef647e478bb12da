import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ProbeEngine } from '../../../src/engine/index.js';
import type { Channel, ChannelEvent } from '../../../src/engine/probe-engine.js';
import { testFolder } from '../../fixtures/folder.js';
import { Events, eventually, target } from '../../native/engine/support.js';
import { openPortable, stuckListener } from './support.js';

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
const SOON = { deadlineMs: 10_000 };

interface Peer {
  readonly path: string;
  readonly server: Server;
  readonly sockets: Set<Socket>;
}

/** Listens on a Unix socket until the test ends; hands each connection over. */
async function listen(
  onConnection: (socket: Socket) => void,
  path = join(testFolder(), 'socket'),
): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { path, server, sockets };
}

/** Hands over what comes line by line, a byte a character. */
function onLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}

/** Greets, negotiates, and does with each command what the test says; `id` is its JSON text. */
function monitor(onCommand: (command: string, id: string, socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    socket.write(GREETING);
    onLines(socket, (line) => {
      const id = /"id":("[^"]*"|\d+)/.exec(line)?.[1] ?? 'null';
      const command = /"execute":"([^"]+)"/.exec(line)?.[1] ?? '';
      if (command === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\n`);
      else onCommand(command, id, socket);
    });
  };
}

/** Answers each sync; does with the rest what the test says. Hears nothing while it is silent. */
function agent(
  onCommand: (command: string, socket: Socket) => void,
  syncs: number[] = [],
  isSilent: () => boolean = () => false,
): (socket: Socket) => void {
  return (socket) =>
    onLines(socket, (line) => {
      if (isSilent()) return;
      const sync = /"guest-sync-delimited".*"id":(\d+)/.exec(line)?.[1];
      if (sync === undefined) onCommand(/"execute":"([^"]+)"/.exec(line)?.[1] ?? '', socket);
      else {
        syncs.push(Number(sync));
        socket.write(`\u00ff{"return": ${sync}}\n`, 'latin1');
      }
    });
}

function open(engine: ProbeEngine, path: string, protocol: 'qmp' | 'qga' = 'qmp') {
  const channel = engine.openChannel({ protocol, path, reconnectMs: 20, greetingTimeoutMs: 200 });
  const events: ChannelEvent[] = [];
  channel.onEvent((event) => events.push(event));
  return { channel, events };
}

function find(events: readonly ChannelEvent[], type: ChannelEvent['type']): Promise<ChannelEvent> {
  return eventually(() => events.find((event) => event.type === type), `the event ${type}`);
}

function vmState(engine: ProbeEngine, { handle: channel }: Channel): number {
  return engine.add([target('vm', { kind: 'vmState', channel })])[0] ?? 0;
}

describe('a monitor', () => {
  it('serves probes and commands on one connection, and tells events', async () => {
    let connections = 0;
    const speak = monitor((command, id, socket) => {
      if (command === 'refuse')
        socket.write(`{"error": {"class": "DeviceNotFound", "desc": "none"}, "id": ${id}}\n`);
      else if (command === 'query-status')
        socket.write(`{"return": {"running": true, "status": "running"}, "id": ${id}}\n`);
      else socket.write(`{"event": "RESET", "data": {"guest": true}}\n{"return": "ü", "id": ${id}}\n`);
    });
    const { path } = await listen((socket) => {
      connections += 1;
      speak(socket);
    });
    const engine = openPortable();
    const { channel, events } = open(engine, path);
    const handle = vmState(engine, channel);
    expect(await channel.request('stop', { a: 1 }, SOON), 'waits for the greeting').toBe('ü');
    expect(channel.connected).toBe(true);
    expect(await find(events, 'event')).toMatchObject({ name: 'RESET', data: { guest: true } });
    await expect(channel.request('refuse', undefined, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_COMMAND',
      message: 'DeviceNotFound: none',
      details: { class: 'DeviceNotFound' },
    });
    await expect(channel.request('no good', undefined, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
    await expect(channel.request('x', undefined, { deadlineMs: 0 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
    await eventually(() => engine.status(handle).state === 'ok', 'ok');
    expect(connections).toBe(1);
  });

  it('that hangs gives a time-out, and its late answer goes to nobody', async () => {
    const held: (() => void)[] = [];
    const { path } = await listen(
      monitor((command, id, socket) => {
        const answer = (): void => void socket.write(`{"return": "${command}", "id": ${id}}\n`);
        if (command === 'slow') held.push(answer);
        else for (const release of [...held.splice(0), answer]) release();
      }),
    );
    const { channel } = open(openPortable(), path);
    await expect(channel.request('slow', undefined, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
      message: 'no answer before the deadline (response-timeout)',
    });
    expect(await channel.request('next', undefined, SOON)).toBe('next');
  });

  it('that hangs is unreachable to a probe', async () => {
    const { path } = await listen(monitor(() => {}));
    const engine = openPortable();
    const handle = vmState(engine, open(engine, path).channel);
    expect(await new Events(engine).until(handle, 'failed')).toMatchObject({ reason: 'api-unreachable' });
  });

  it.each([
    ['garbage', 'SSH-2.0-OpenSSH\r\n', 'protocol-error'],
    ['half a greeting', '{"QMP": ', 'connection-closed'],
  ])('that sends %s is told once and tried again', async (_name, text, reason) => {
    let connections = 0;
    const { path } = await listen((socket) => {
      connections += 1;
      socket.end(text);
    });
    const { channel, events } = open(openPortable(), path);
    expect(await find(events, 'disconnected')).toMatchObject({ reason });
    expect(channel.connected).toBe(false);
    await eventually(() => connections >= 3, 'more tries');
    expect(events.filter((event) => event.type === 'disconnected')).toHaveLength(1);
  });

  it('that is not there is tried with longer and longer pauses, and found once it is', async () => {
    const path = join(testFolder(), 'later');
    const engine = openPortable();
    const { channel, events } = open(engine, path);
    expect(await find(events, 'disconnected')).toMatchObject({ reason: 'connection-refused' });
    await expect(channel.request('stop', undefined, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringMatching(/^connection-refused: /),
    });
    const started = Date.now();
    const tries: number[] = [];
    const peer = await listen((socket) => {
      tries.push(Date.now() - started);
      if (tries.length < 5) socket.destroy();
      else monitor(() => {})(socket);
    }, path);
    await find(events, 'connected');
    expect(peer.sockets.size).toBe(1);
    const pauses = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    // 40 ms and more by then, at most sixteen times 20 ms and what a busy machine adds.
    expect(pauses.at(-1)).toBeGreaterThan(30);
  });

  it('that another client holds is busy until it is let go', async () => {
    let greet: (() => void) | undefined;
    const { path } = await listen((socket) => {
      greet = () =>
        monitor((_command, id, to) =>
          to.write(`{"return": {"running": true, "status": "running"}, "id": ${id}}\n`),
        )(socket);
    });
    const engine = openPortable();
    const reader = new Events(engine);
    const { channel, events } = open(engine, path);
    const handle = vmState(engine, channel);
    expect(await find(events, 'disconnected')).toMatchObject({ reason: 'channel-busy' });
    expect(await reader.until(handle, 'blind')).toMatchObject({ reason: 'channel-busy' });
    await expect(channel.request('stop', undefined, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringMatching(/^channel-busy: /),
    });
    greet?.();
    await reader.until(handle, 'ok');
    expect(channel.connected).toBe(true);
  });

  it('with a full backlog is busy', async () => {
    const { endpoint, fill } = await stuckListener('unix');
    await fill();
    if (!('unix' in endpoint)) throw new Error('asked for a Unix socket');
    const { events } = open(openPortable(), endpoint.unix);
    expect(await find(events, 'disconnected')).toMatchObject({ reason: 'channel-busy' });
  });

  it('that goes and comes back is told each time; what was asked ends', async () => {
    const { path, sockets } = await listen(monitor(() => {}));
    const { channel, events } = open(openPortable(), path);
    await find(events, 'connected');
    const request = channel.request('never', undefined, { deadlineMs: 60_000 });
    for (const socket of sockets) socket.destroy();
    await expect(request).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
    await eventually(() => events.length >= 3, 'a new connection');
    expect(events.map(({ type }) => type)).toEqual(['connected', 'disconnected', 'connected']);
  });

  it('is closed with its requests; probes on it are inconclusive', async () => {
    const { path, sockets } = await listen(monitor(() => {}));
    const engine = openPortable();
    const { channel, events } = open(engine, path);
    await find(events, 'connected');
    const request = channel.request('never', undefined, { deadlineMs: 60_000 });
    const abort = new AbortController();
    const aborted = channel.request('never', undefined, { deadlineMs: 60_000, signal: abort.signal });
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    const handle = vmState(engine, channel);
    channel.close();
    channel.close();
    await expect(request).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    await expect(channel.request('x', undefined, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    expect(await new Events(engine).until(handle, 'blind')).toMatchObject({ reason: 'cancelled' });
    await eventually(() => sockets.size === 0, 'the end of the connection');
  });

  it('that has too much asked of it refuses the rest', async () => {
    const { path } = await listen(monitor(() => {}));
    const { channel } = open(openPortable(), path);
    const asked = Array.from({ length: 300 }, () =>
      channel.request('never', undefined, { deadlineMs: 500 }).catch((error: unknown) => error),
    );
    const codes = (await Promise.all(asked)).map((error) =>
      error instanceof Error && 'code' in error ? error.code : undefined,
    );
    expect(codes.filter((code) => code === 'ERR_VMPULSE_TIMEOUT')).toHaveLength(256);
    expect(codes.filter((code) => code === 'ERR_VMPULSE_CHANNEL')).toHaveLength(44);
  });

  it('keeps events for a listener that comes later, bounded, and says how many were lost', async () => {
    const { path } = await listen(
      monitor((_command, id, socket) => {
        const events = Array.from({ length: 1000 }, (_, index) => `{"event": "E${index}"}\n`);
        socket.write(`${events.join('')}{"return": {}, "id": ${id}}\n`);
      }),
    );
    const channel = openPortable().openChannel({ protocol: 'qmp', path });
    await channel.request('pour', undefined, SOON);
    const events: ChannelEvent[] = [];
    channel.onEvent((event) => events.push(event));
    expect(events.at(-1)).toMatchObject({ name: 'E999' });
    expect(events.length).toBeLessThanOrEqual(257);
    const [first] = events;
    if (first?.type !== 'dropped') throw new Error(`the first is ${first?.type}`);
    // The connection was an event too.
    expect(first.count + events.length - 1).toBe(1001);
  });
});

describe('an agent', () => {
  it('is synchronised, pinged, and asked one thing at a time', async () => {
    let waiting = 0;
    let most = 0;
    const { path } = await listen(
      agent((_command, socket) => {
        waiting += 1;
        most = Math.max(most, waiting);
        setImmediate(() => {
          waiting -= 1;
          socket.write('{"return": {}}\n');
        });
      }),
    );
    const engine = openPortable();
    const { channel } = open(engine, path, 'qga');
    const [handle = 0] = engine.add([target('vm', { kind: 'guestAgentPing', channel: channel.handle })]);
    await Promise.all(Array.from({ length: 20 }, () => channel.request('guest-info', undefined, SOON)));
    await eventually(() => engine.status(handle).state === 'ok', 'ok');
    expect(most).toBe(1);
  });

  it('that falls silent fails its probes, is synchronised again, and found when it is back', async () => {
    let silent = false;
    const syncs: number[] = [];
    const { path, sockets } = await listen(
      agent(
        (_command, socket) => void socket.write('{"return": {}}\n'),
        syncs,
        () => silent,
      ),
    );
    const engine = openPortable();
    const events = new Events(engine);
    const { channel } = open(engine, path, 'qga');
    const [handle = 0] = engine.add([target('vm', { kind: 'guestAgentPing', channel: channel.handle })]);
    await events.until(handle, 'ok');
    silent = true;
    const down = await events.until(handle, 'failed');
    expect(['response-timeout', 'agent-not-connected']).toContain(down.reason);
    const before = syncs.length;
    silent = false;
    await events.until(handle, 'ok');
    expect(syncs.length).toBeGreaterThan(before);
    expect(new Set(syncs).size, 'each sync has its own number').toBe(syncs.length);
    expect(sockets.size, 'on one connection').toBe(1);
  });

  it('that nobody accepts is busy; one that is accepted and silent is not connected', async () => {
    const { endpoint } = await stuckListener('unix');
    if (!('unix' in endpoint)) throw new Error('asked for a Unix socket');
    const held = open(openPortable(), endpoint.unix, 'qga');
    expect(await find(held.events, 'disconnected')).toMatchObject({ reason: 'channel-busy' });
    const { path } = await listen(() => {});
    const absent = open(openPortable(), path, 'qga');
    expect(await find(absent.events, 'disconnected')).toMatchObject({ reason: 'agent-not-connected' });
  });
});
