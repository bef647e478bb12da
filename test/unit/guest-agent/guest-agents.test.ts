import { describe, expect, it } from 'vitest';
import { GuestAgents } from '../../../src/guest-agent/guest-agents.js';
import { whichAgent } from '../../../src/guest-agent/which-agent.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { FakeChannel } from '../qemu/fixtures.js';

const SOON = { deadlineMs: 5_000 };
const base64 = (text: string) => Buffer.from(text).toString('base64');

const PROC = `cpu  100 0 100 800 0 0 0 0 0 0
cpu0 100 0 100 800 0 0 0 0 0 0
MemTotal:        2048 kB
MemFree:          100 kB
MemAvailable:     512 kB
SwapTotal:          0 kB
0.50 1.25 2.00 1/99 1234
`;

const TOLD = {
  bootId: 'x',
  uptimeSeconds: 7,
  cpu: { windowMs: 15_000, cpus: 2, usedPercent: 12.5, iowaitPercent: 1, stealPercent: 0 },
  memory: { totalBytes: 4096, availableBytes: 1024, freeBytes: 0, swapTotalBytes: 0, swapFreeBytes: 0 },
  load: [0.5, 1, 2],
  disks: [
    {
      mount: '/\u001b[31m',
      fsType: 'ext4',
      readOnly: false,
      totalBytes: 100,
      usedBytes: 50,
      availableBytes: 50,
      inodes: 0,
      inodesUsed: 0,
    },
  ],
  pressure: { cpu: null, memory: null, io: null },
};

/** An agent on which programs end at once with this output. */
function running(stdout: string, exitcode = 0): FakeChannel {
  return new FakeChannel()
    .on('guest-exec', () => ({ pid: 1 }))
    .on('guest-exec-status', () => ({ exited: true, exitcode, 'out-data': base64(stdout) }));
}

function refusing(name: string): FakeChannel {
  return new FakeChannel().on('guest-exec', () => {
    throw new VmpulseError('ERR_VMPULSE_COMMAND', 'no', { details: { class: name } });
  });
}

describe('which agent runs a command', () => {
  it("is vmpulse's own, and QEMU's for what its guest does not allow it", async () => {
    const qemu = running('qemu');
    const own = new GuestAgents('vm', { qemu, vmpulse: running('own') });
    expect((await own.exec(['/bin/true'], SOON)).stdout).toBe('own');
    const forbidden = new GuestAgents('vm', { qemu, vmpulse: refusing('CommandNotAllowed') });
    expect((await forbidden.exec(['/bin/true'], SOON)).stdout).toBe('qemu');
    const broken = new GuestAgents('vm', { qemu, vmpulse: refusing('GenericError') });
    await expect(broken.exec(['/bin/true'], SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_COMMAND' });
    const alone = new GuestAgents('vm', { vmpulse: refusing('CommandNotAllowed') });
    await expect(alone.exec(['/bin/true'], SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_COMMAND' });
  });

  it('is told from one that the guest does not have', async () => {
    const agent = new FakeChannel().on('guest-exec', () => {
      throw new VmpulseError(
        'ERR_VMPULSE_COMMAND',
        'Failed to execute child process (No such file or directory)',
      );
    });
    const guest = new GuestAgents('vm', { qemu: agent });
    await expect(guest.exec(['python3', '-'], SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_COMMAND',
      message: 'the guest has no program python3, or lacks what it needs to start',
    });
  });

  it('is none where the guest has none', async () => {
    const none = new GuestAgents('vm', {});
    await expect(none.exec(['/bin/true'], SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
    await expect(none.resources(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
  });

  it('says by itself which one it is', async () => {
    const own = new FakeChannel().on('guest-info', () => ({ agent: 'vmpulse-agent', version: '1' }));
    expect(await whichAgent(own, SOON)).toEqual({ vmpulse: own });
    for (const answer of [{ version: '8.2' }, null, { agent: 7 }]) {
      const other = new FakeChannel().on('guest-info', () => answer);
      expect(await whichAgent(other, SOON)).toEqual({ qemu: other });
    }
  });
});

describe('the addresses of a guest', () => {
  const told = (answer: unknown) =>
    new GuestAgents('vm', {
      qemu: new FakeChannel().on('guest-network-get-interfaces', () => answer),
    }).addresses(SOON);
  const device = (mac: unknown, ...ips: readonly unknown[]) => ({
    name: 'eth0',
    'hardware-address': mac,
    'ip-addresses': ips.map((ip) => ({ 'ip-address': ip, 'ip-address-type': 'ipv4', prefix: 24 })),
  });
  const MAC = '52:54:00:12:34:56';

  it('are told with the device that has them', async () => {
    const lo = { name: 'lo', 'ip-addresses': [{ 'ip-address': '127.0.0.1' }] };
    const answer = [lo, device(MAC.toUpperCase(), '192.0.2.7', 'fe80::1'), { name: 'tun0' }];
    expect(await told(answer)).toEqual([
      { mac: MAC, ip: '192.0.2.7' },
      { mac: MAC, ip: 'fe80::1' },
    ]);
  });

  it('are only what can be one, and not without end', async () => {
    expect(await told([device('no MAC', '192.0.2.7'), device(MAC, 'no address', '192.0.2.300', '')])).toEqual(
      [],
    );
    const many = Array.from({ length: 900 }, () =>
      device(MAC, ...Array.from({ length: 900 }, () => '192.0.2.7')),
    );
    expect(await told(many)).toHaveLength(256);
    for (const answer of [
      null,
      {},
      [7],
      [device(7)],
      [device(MAC, 7)],
      Array.from({ length: 2000 }, () => ({})),
    ])
      await expect(told(answer), JSON.stringify(answer)?.slice(0, 40)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_CHANNEL',
      });
  });

  it('are asked of the agent that is there', async () => {
    const own = new FakeChannel().on('guest-network-get-interfaces', () => [device(MAC, '192.0.2.8')]);
    const qemu = new FakeChannel().on('guest-network-get-interfaces', () => [device(MAC, '192.0.2.9')]);
    const ip = async (agents: GuestAgents) => (await agents.addresses(SOON))[0]?.ip;
    expect(await ip(new GuestAgents('vm', { qemu, vmpulse: own }))).toBe('192.0.2.8');
    expect(await ip(new GuestAgents('vm', { qemu }))).toBe('192.0.2.9');
    expect(await ip(new GuestAgents('vm', { vmpulse: own }))).toBe('192.0.2.8');
  });
});

describe('a command that does not end', () => {
  it('is not begun a second time while it goes on', async () => {
    let begun = 0;
    let ends = false;
    const agent = new FakeChannel()
      .on('guest-exec', () => ({ pid: ++begun }))
      .on('guest-exec-status', () => ({ exited: ends, exitcode: 0 }));
    const guest = new GuestAgents('vm', { qemu: agent });
    const late = { code: 'ERR_VMPULSE_TIMEOUT' };
    await expect(guest.exec(['/bin/hang'], { deadlineMs: 100 })).rejects.toMatchObject(late);
    await expect(guest.exec(['/bin/hang'], SOON)).rejects.toMatchObject(late);
    expect(begun).toBe(1);
    ends = true;
    expect((await guest.exec(['/bin/hang'], SOON)).exitCode).toBe(0);
    expect(begun).toBe(2);
  });
});

describe('resources', () => {
  it("are what vmpulse's agent tells, made safe to show", async () => {
    const agent = new FakeChannel().on('vmpulse-resources', () => TOLD);
    const told = await new GuestAgents('vm', { vmpulse: agent }).resources(SOON);
    expect(told).toMatchObject({
      source: 'vmpulse-agent',
      cpus: 2,
      cpu: { usedPercent: 12.5 },
      load: [0.5, 1, 2],
    });
    expect(told.disks).toEqual([
      { mount: '/\\u001b[31m', fsType: 'ext4', readOnly: false, totalBytes: 100, usedBytes: 50 },
    ]);
  });

  it.each([
    null,
    'full',
    [],
    { ...TOLD, cpu: { ...TOLD.cpu, usedPercent: 1e9 } },
    { ...TOLD, cpu: { ...TOLD.cpu, usedPercent: -1 } },
    { ...TOLD, memory: { ...TOLD.memory, totalBytes: 1e300 } },
    { ...TOLD, disks: Array.from({ length: 1000 }, () => TOLD.disks[0]) },
    { ...TOLD, disks: 'all' },
    { ...TOLD, load: [1] },
  ])('are not %j', async (answer) => {
    const agent = new FakeChannel().on('vmpulse-resources', () => answer);
    const asked = new GuestAgents('vm', { vmpulse: agent }).resources(SOON);
    await expect(asked).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
  });

  it("are put together from what QEMU's agent can tell", async () => {
    const agent = running(PROC).on('guest-get-fsinfo', () => [
      { name: 'vda1', mountpoint: '/', type: 'ext4', disk: [], 'used-bytes': 50, 'total-bytes': 100 },
      { name: 'sr0', mountpoint: '/media', type: 'iso9660', disk: [] },
    ]);
    const told = await new GuestAgents('vm', { qemu: agent }).resources(SOON);
    expect(told).toEqual({
      source: 'qemu-guest-agent',
      // Nothing has passed between the two looks.
      cpu: { usedPercent: 0, ioWaitPercent: 0, stealPercent: 0 },
      cpus: 1,
      memory: {
        totalBytes: 2048 * 1024,
        availableBytes: 512 * 1024,
        swapTotalBytes: 0,
        swapFreeBytes: 0,
      },
      load: [0.5, 1.25, 2],
      disks: [{ mount: '/', fsType: 'ext4', readOnly: false, totalBytes: 100, usedBytes: 50 }],
    });
  });

  it('are the disks alone where guest-exec is blocked', async () => {
    const agent = refusing('CommandNotFound').on('guest-get-fsinfo', () => []);
    const told = await new GuestAgents('vm', { qemu: agent }).resources(SOON);
    expect(told).toEqual({ source: 'qemu-guest-agent', disks: [] });
  });
});
