import type { Socket } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Channel, ChannelEvent, ProbeEngine } from '../../src/engine/probe-engine.js';
import { FakeHybridVsock, type GuestPort, VSOCK_FAULTS } from '../fakes/hybrid-vsock.js';
import { testFolder } from '../fixtures/folder.js';
import { whyNoAddon } from './engine/addon.js';
import { eventually, openEngine, within } from './engine/support.js';

const PORT = 9720;
const SOON = { deadlineMs: 10_000 };
const NOT_CONNECTED = { result: 'failed', reason: 'agent-not-connected' };

/** An agent: answers each sync, and does with each command what the test says; it hears nothing while it is silent. */
function agent(
  onCommand: (command: string, socket: Socket) => void = pong,
  isSilent: () => boolean = () => false,
): GuestPort {
  return (socket) => {
    let rest = '';
    socket.on('data', (bytes: Buffer) => {
      if (isSilent()) return;
      const lines = (rest + bytes.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const sync = /"guest-sync-delimited".*"id":(\d+)/.exec(line)?.[1];
        if (sync !== undefined) socket.write(`\u00ff{"return": ${sync}}\n`, 'latin1');
        else onCommand(/"execute":"([^"]+)"/.exec(line)?.[1] ?? '', socket);
      }
    });
  };
}

function pong(_command: string, socket: Socket): void {
  socket.write('{"return": {}}\n');
}

async function hypervisor(): Promise<FakeHybridVsock> {
  const fake = await FakeHybridVsock.listen(join(testFolder(), 'vm.vsock'));
  onTestFinished(() => fake.close());
  return fake;
}

describe.each(['native', 'portable'] as const)('the %s engine', (name) => {
  let engine: ProbeEngine;
  beforeEach((ctx) => {
    const missing = name === 'native' ? whyNoAddon() : undefined;
    if (missing !== undefined) ctx.skip(`the engine addon does not load: ${missing}`);
    engine = openEngine({ engine: name });
  });

  /** `greetingTimeoutMs`: far above what a busy host takes, unless silence is what is tested. */
  function open({ path }: { readonly path: string }, greetingTimeoutMs = 10_000) {
    const channel = engine.openChannel({
      protocol: 'qga',
      path,
      vsockPort: PORT,
      reconnectMs: 20,
      greetingTimeoutMs,
    });
    const events: ChannelEvent[] = [];
    channel.onEvent((event) => events.push(event));
    return { channel, events };
  }

  const ping = async ({ handle }: Channel, timeoutMs = 10_000) => {
    const check = { kind: 'guestAgentPing', channel: handle } as const;
    return (await within(engine.probeOnce(check, { timeoutMs }), 'the ping')).outcome;
  };
  const connected = (channel: Channel) => eventually(() => channel.connected, 'connected');

  it('asks an agent behind the port, one conversation for all', async () => {
    const fake = await hypervisor();
    let conversations = 0;
    const speak = agent((command, socket) => socket.write(`{"return": "${command}"}\n`));
    fake.serve(PORT, (socket) => {
      conversations += 1;
      speak(socket);
    });
    const { channel, events } = open(fake);
    expect(await channel.request('guest-info', { a: 1 }, SOON), 'waits for the door').toBe('guest-info');
    expect(await ping(channel)).toEqual({ result: 'ok' });
    expect(conversations).toBe(1);
    expect(events.map(({ type }) => type)).toEqual(['connected']);
  });

  it('finds nobody at a port that is refused, and whoever listens there later', async () => {
    const fake = await hypervisor();
    const { channel, events } = open(fake);
    await eventually(() => events.length > 0, 'the end');
    expect(events[0]).toMatchObject({ type: 'disconnected', reason: 'agent-not-connected' });
    expect(await ping(channel, 500)).toEqual(NOT_CONNECTED);
    await expect(channel.request('guest-info', undefined, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringMatching(/^agent-not-connected: /),
    });
    fake.serve(PORT, agent());
    await connected(channel);
    expect(await ping(channel)).toEqual({ result: 'ok' });
    // That it was tried again and again in between is not told each time.
    expect(events.map(({ type }) => type)).toEqual(['disconnected', 'connected']);
  });

  it.each(VSOCK_FAULTS)('outlives a door that is %s, by a new connection', async (fault) => {
    const fake = await hypervisor();
    fake.serve(PORT, agent());
    fake.fault = fault;
    const { channel, events } = open(fake, 200);
    await eventually(() => events.some(({ type }) => type === 'disconnected'), 'the trouble');
    expect(events[0]).toMatchObject({
      reason: expect.stringMatching(/^(agent-not-connected|protocol-error)$/),
    });
    fake.fault = undefined;
    await expect.poll(() => ping(channel, 2_000), { timeout: 30_000 }).toEqual({ result: 'ok' });
  });

  it('connects anew to an agent that has fallen silent, as after a reboot of its guest', async () => {
    const fake = await hypervisor();
    let silent = false;
    const conversations: { ended: boolean }[] = [];
    const speak = agent(pong, () => silent);
    fake.serve(PORT, (socket) => {
      const conversation = { ended: false };
      conversations.push(conversation);
      socket.on('end', () => {
        conversation.ended = true;
      });
      speak(socket);
    });
    const { channel } = open(fake, 300);
    await expect.poll(() => ping(channel, 2_000), { timeout: 30_000 }).toEqual({ result: 'ok' });
    silent = true;
    const before = conversations.length;
    expect(await ping(channel, 300)).not.toEqual({ result: 'ok' });
    await eventually(() => conversations.length > before, 'another conversation');
    await eventually(() => conversations[before - 1]?.ended === true, 'the end of the former');
    silent = false;
    await expect.poll(() => ping(channel, 2_000), { timeout: 30_000 }).toEqual({ result: 'ok' });
  });

  it.each([
    ['garbage', (socket: Socket) => socket.write('<html>\n'), 'agent-error'],
    [
      'a flood',
      (socket: Socket) => socket.write(`{"return": "${'a'.repeat(5 * 1024 * 1024)}"}\n`),
      'agent-error',
    ],
    ['its end', (socket: Socket) => socket.destroy(), 'agent-not-connected'],
  ] as const)('takes %s for an answer as no answer', async (_what, misbehave, reason) => {
    const fake = await hypervisor();
    let calm = false;
    fake.serve(
      PORT,
      agent((command, socket) => (calm ? pong(command, socket) : misbehave(socket))),
    );
    const { channel } = open(fake);
    expect(await ping(channel)).toEqual({ result: 'failed', reason });
    calm = true;
    await connected(channel);
    expect(await ping(channel)).toEqual({ result: 'ok' });
  });

  it('refuses a port of what is no agent, and one that is none', () => {
    const path = '/nonexistent/vm.vsock';
    for (const options of [
      { protocol: 'qmp', path, vsockPort: PORT },
      { protocol: 'qga', path, vsockPort: 0 },
      { protocol: 'qga', path, vsockPort: 1.5 },
      { protocol: 'qga', path, vsockPort: 2 ** 32 - 1 },
      { protocol: 'qga', path, vsockPort: -1 },
    ] as const)
      expect(() => engine.openChannel(options), JSON.stringify(options)).toThrow(/vsock ?[pP]ort/);
  });
});
