import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ConnectionState } from '../../../src/hypervisors/libvirt/rpc/connection.js';
import { Libvirt, type LibvirtOptions } from '../../../src/hypervisors/libvirt/rpc/libvirt.js';
import { PacketDecoder } from '../../../src/hypervisors/libvirt/rpc/packet.js';
import { XdrReader, XdrWriter } from '../../../src/hypervisors/libvirt/rpc/xdr.js';
import { Deadline } from '../../../src/model/deadline.js';
import { UUID } from '../qemu/fixtures.js';
import { FakeLibvirtd } from './fake-libvirtd.js';

const DOMAIN = { name: 'web', uuid: UUID };
const VERSION = 157;
const STATE = 212;
const GET_XML = 14;

const soon = () => new Deadline('a call', { deadlineMs: 20_000 });
const short = () => new Deadline('a call', { deadlineMs: 50 });

function open(fake: FakeLibvirtd, options: Partial<LibvirtOptions> = {}) {
  const states: ConnectionState['state'][] = [];
  const libvirt = new Libvirt({
    sockets: [fake.path],
    uri: 'qemu:///system',
    onState: ({ state }) => states.push(state),
    ...options,
  });
  onTestFinished(() => libvirt.close());
  return { libvirt, states };
}

describe('a connection to libvirt', () => {
  it('authenticates, opens the driver, registers events, and gives answers to whom they belong', async () => {
    const fake = await FakeLibvirtd.start();
    fake.answers.set(STATE, () => new XdrWriter().int(3).int(6));
    const { libvirt } = open(fake, { eventsOf: { domain: DOMAIN, ids: [0, 1] } });
    expect(await libvirt.state(DOMAIN, soon())).toEqual({ state: 3, reason: 6 });
    expect(fake.asked).toEqual([66, 1, 316, 316, STATE]);
  });

  it('names what libvirt refuses, with its reason made safe to show', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt } = open(fake);
    for (const [number, code, name] of [
      [42, 'ERR_VMPULSE_VM_NOT_RUNNING', 'no-domain'],
      [55, 'ERR_VMPULSE_COMMAND', 'operation-invalid'],
      [86, 'ERR_VMPULSE_CHANNEL', 'agent-unresponsive'],
      [1, 'ERR_VMPULSE_COMMAND', 'libvirt-1'],
    ] as const) {
      fake.answers.set(STATE, () => number);
      await expect(libvirt.state(DOMAIN, soon())).rejects.toMatchObject({
        code,
        message: 'libvirt refuses getState: it says\\u001b[2J why',
        details: { class: name },
      });
    }
  });

  it('ends a call at its deadline, and makes a new connection when too many answers are owed', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt, states } = open(fake);
    fake.answers.set(VERSION, () => new XdrWriter().uint(0).uint(9_000_000));
    expect(await libvirt.version(soon())).toBe(9_000_000);
    const late = [1, 2, 3].map(() => libvirt.state(DOMAIN, short()));
    for (const result of await Promise.allSettled(late))
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_VMPULSE_TIMEOUT' } });
    await expect.poll(() => states, { timeout: 20_000 }).toEqual(['connected', 'lost', 'connected']);
    expect(await libvirt.version(soon())).toBe(9_000_000);
    expect(fake.sockets).toHaveLength(2);
  });

  it('says that a daemon that accepts and does not greet is busy', async () => {
    const fake = await FakeLibvirtd.start();
    fake.answers.delete(66);
    const { libvirt, states } = open(fake);
    await expect(libvirt.version(soon())).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringContaining('it accepts and does not answer'),
    });
    expect(states[0]).toBe('busy');
  });

  it('fails at once where nobody listens', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt, states } = open(fake, { sockets: [`${fake.path}-not`] });
    await expect(libvirt.version(soon())).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringContaining('ENOENT'),
    });
    expect(states[0]).toBe('lost');
  });

  it('does not go on with what speaks another protocol', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt, states } = open(fake);
    fake.answers.set(VERSION, () => {
      fake.sockets.at(-1)?.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
      return undefined;
    });
    await expect(libvirt.version(soon())).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringContaining('another protocol'),
    });
    expect(states).toContain('foreign');
  });

  it('gives an answer that came before what cannot be read', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt, states } = open(fake);
    fake.answers.set(STATE, (asked) => {
      const whole = FakeLibvirtd.reply(asked, new XdrWriter().int(1).int(2));
      fake.sockets.at(-1)?.write(Buffer.concat([whole, Buffer.from('HTTP/1.1 400 Bad Request')]));
      return undefined;
    });
    expect(await libvirt.state(DOMAIN, soon())).toEqual({ state: 1, reason: 2 });
    await expect.poll(() => states, { timeout: 20_000 }).toContain('foreign');
  });

  it('fails the call whose answer ends with the connection', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt } = open(fake);
    fake.answers.set(STATE, (asked) => {
      const whole = FakeLibvirtd.reply(asked, new XdrWriter().int(1).int(2));
      fake.sockets.at(-1)?.end(whole.subarray(0, -3));
      return undefined;
    });
    await expect(libvirt.state(DOMAIN, soon())).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CHANNEL',
      message: expect.stringContaining('it ended the connection'),
    });
  });

  it('tells whoever asked that the reason of a refusal cannot be read, and goes on', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt, states } = open(fake);
    fake.answers.set(STATE, (asked) => {
      fake.sockets.at(-1)?.write(FakeLibvirtd.reply(asked, new XdrWriter().int(42), 'error'));
      return undefined;
    });
    await expect(libvirt.state(DOMAIN, soon())).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
    fake.answers.set(VERSION, () => new XdrWriter().uint(0).uint(9_000_000));
    expect(await libvirt.version(soon())).toBe(9_000_000);
    expect(states).toEqual(['connected']);
  });

  it('finds a daemon that starts later, at whichever of its sockets', async () => {
    const [first, second] = [await FakeLibvirtd.start(), new FakeLibvirtd()];
    first.answers.set(VERSION, () => new XdrWriter().uint(0).uint(1));
    second.answers.set(VERSION, () => new XdrWriter().uint(0).uint(2));
    const { libvirt, states } = open(first, { sockets: [second.path, first.path] });
    expect(await libvirt.version(soon())).toBe(1);
    await second.listen();
    first.sockets.at(-1)?.destroy();
    await expect.poll(() => states, { timeout: 20_000 }).toEqual(['connected', 'lost', 'connected']);
    expect(await libvirt.version(soon())).toBe(2);
  });

  it('passes by a socket that a daemon has left behind', async () => {
    const fake = await FakeLibvirtd.start();
    const stale = `${fake.path}-stale`;
    const code = `const s = require('node:net').createServer().listen('${stale}', () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', code]);
    expect(existsSync(stale)).toBe(true);
    fake.answers.set(VERSION, () => new XdrWriter().uint(0).uint(1));
    const { libvirt } = open(fake, { sockets: [stale, fake.path] });
    expect(await libvirt.version(soon())).toBe(1);
    const none = open(fake, { sockets: [stale, `${fake.path}-not`] });
    await expect(none.libvirt.version(soon())).rejects.toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('reads an answer in however many pieces it comes', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt } = open(fake);
    const xml = `<domain>${'x'.repeat(3 * 1024 * 1024)}</domain>`;
    fake.answers.set(GET_XML, () => new XdrWriter().string(xml));
    expect(await libvirt.xml(DOMAIN, soon())).toBe(xml);
    const asked = { procedure: STATE, serial: 7, args: new XdrReader(Buffer.alloc(0)) };
    const bytes = FakeLibvirtd.reply(asked, new XdrWriter().int(1));
    const decoder = new PacketDecoder();
    const packets = [...Buffer.concat([bytes, bytes])].flatMap((byte) => [...decoder.push(Buffer.of(byte))]);
    expect(packets).toMatchObject([
      { type: 'reply', serial: 7 },
      { type: 'reply', serial: 7 },
    ]);
  });

  it('refuses an answer that ends before it should, or announces too much', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt } = open(fake);
    fake.answers.set(STATE, () => new XdrWriter().int(1));
    await expect(libvirt.state(DOMAIN, soon())).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
    fake.answers.set(GET_XML, () => new XdrWriter().uint(0xffff_fff0));
    await expect(libvirt.xml(DOMAIN, soon())).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
  });

  it('asks a password of nobody', async () => {
    const fake = await FakeLibvirtd.start();
    fake.answers.set(66, () => new XdrWriter().uint(1).int(1));
    const { libvirt } = open(fake);
    await expect(libvirt.version(soon())).rejects.toMatchObject({ message: expect.stringContaining('SASL') });
  });

  it('takes its events back and says that it goes when it is closed', async () => {
    const fake = await FakeLibvirtd.start();
    fake.answers.set(STATE, () => new XdrWriter().int(3).int(6));
    const { libvirt } = open(fake, { eventsOf: { domain: DOMAIN, ids: [0, 1] } });
    await libvirt.state(DOMAIN, soon());
    libvirt.close();
    await expect.poll(() => fake.asked.at(-1), { timeout: 20_000 }).toBe(2);
    expect(fake.asked.slice(5)).toEqual([317, 317, 2]);
    expect(fake.takenBack).toEqual([40, 41]);
    await expect.poll(() => fake.sockets.every((socket) => socket.destroyed), { timeout: 20_000 }).toBe(true);
  });

  it('goes without a word from a libvirt that hangs', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt } = open(fake, { eventsOf: { domain: DOMAIN, ids: [0] } });
    await expect(libvirt.state(DOMAIN, short())).rejects.toMatchObject({ code: 'ERR_VMPULSE_TIMEOUT' });
    libvirt.close();
    await expect.poll(() => fake.sockets.every((socket) => socket.destroyed), { timeout: 20_000 }).toBe(true);
    expect(fake.takenBack).toEqual([]);
  });

  it('stays until a registration under way is done, though it is closed', async () => {
    const fake = await FakeLibvirtd.start();
    let answer = () => {};
    fake.answers.set(316, (asked) => {
      answer = () => void fake.sockets[0]?.write(FakeLibvirtd.reply(asked, new XdrWriter().int(7)));
      return undefined;
    });
    const { libvirt } = open(fake, { eventsOf: { domain: DOMAIN, ids: [0, 1] } });
    await expect.poll(() => fake.asked.at(-1), { timeout: 20_000 }).toBe(316);
    libvirt.close();
    // Whatever comes to pass meanwhile, for example another client's whole life.
    const other = open(fake);
    fake.answers.set(STATE, () => new XdrWriter().int(1).int(0));
    await other.libvirt.state(DOMAIN, soon());
    expect(fake.sockets[0]?.readableEnded).toBe(false);
    answer();
    await expect.poll(() => fake.sockets[0]?.destroyed, { timeout: 20_000 }).toBe(true);
    expect(fake.asked.filter((procedure) => procedure === 316)).toHaveLength(1);
  });

  it('ends what is under way when it is closed', async () => {
    const fake = await FakeLibvirtd.start();
    const { libvirt } = open(fake);
    const call = libvirt.state(DOMAIN, soon());
    await expect.poll(() => fake.asked.includes(STATE), { timeout: 20_000 }).toBe(true);
    libvirt.close();
    await expect(call).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
  });
});
