import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { livingState } from '../../../src/hypervisors/process.js';
import { LogKeeper } from '../../../src/hypervisors/vmm/logs.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeChannel } from './fixtures.js';
import { end } from './processes.js';
import { attach, SOON } from './session-bench.js';

describe('the system of the guest', () => {
  it('is what its agent says', async () => {
    const agent = new FakeChannel().on('guest-get-osinfo', () => ({ id: 'debian', 'version-id': '13' }));
    const { session } = await attach({ agent });
    expect(await session.osId(SOON)).toBe('debian');
  });

  it('may have no name', async () => {
    const agent = new FakeChannel().on('guest-get-osinfo', () => ({}));
    const { session } = await attach({ agent });
    expect(await session.osId(SOON)).toBeUndefined();
  });

  it.each([{ id: 7 }, { id: 'debian\n' }, { id: 'x'.repeat(65) }, null])('is not %j', async (answer) => {
    const agent = new FakeChannel().on('guest-get-osinfo', () => answer);
    const { session } = await attach({ agent });
    await expect(session.osId(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
  });

  it('is not known without an agent', async () => {
    const { session } = await attach();
    await expect(session.osId(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
  });
});

describe('exec', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('waits for the end and decodes the output', async () => {
    const agent = new FakeChannel().on('guest-exec', () => ({ pid: 7 }));
    let looks = 0;
    agent.on('guest-exec-status', () =>
      ++looks < 3
        ? { exited: false }
        : { exited: true, exitcode: 3, 'out-data': base64('out'), 'err-data': base64('err') },
    );
    const { session } = await attach({ agent });
    expect(await session.exec(['/bin/svc', 'restart', 'web'], SOON)).toEqual({
      exitCode: 3,
      stdout: 'out',
      stderr: 'err',
    });
    expect(agent.requests[0]?.args).toEqual({
      path: '/bin/svc',
      arg: ['restart', 'web'],
      'capture-output': true,
    });
  });

  it('bounds the output and names a signal', async () => {
    const agent = new FakeChannel().on('guest-exec', () => ({ pid: 7 }));
    agent.on('guest-exec-status', () => ({
      exited: true,
      signal: 9,
      'out-data': base64('x'.repeat(200_000)),
    }));
    const { session } = await attach({ agent });
    const { exitCode, stdout } = await session.exec(['yes'], SOON);
    expect(exitCode).toBe(137);
    expect(stdout).toBe('x'.repeat(65_536));
  });

  it.each([{ pid: 'seven' }, null, []])('refuses the answer %j', async (answer) => {
    const agent = new FakeChannel().on('guest-exec', () => answer);
    const { session } = await attach({ agent });
    await expect(session.exec(['true'], SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
  });

  it('ends at the deadline, and says so without an agent', async () => {
    const agent = new FakeChannel()
      .on('guest-exec', () => ({ pid: 7 }))
      .on('guest-exec-status', () => ({ exited: false }));
    const { session } = await attach({ agent });
    await expect(session.exec(['sleep'], { deadlineMs: 200 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
    });
    const { session: without } = await attach();
    await expect(without.exec(['true'], SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
  });
});

describe('evidence', () => {
  it('is the end of the console, escaped, the status and the counters', async () => {
    const { session, qemu, paths, folder } = await attach();
    qemu.on('query-blockstats', () => [{ device: 'blk0' }]).on('query-cpus-fast', () => []);
    writeFileSync(paths.consoleLog, `${'x'.repeat(100_000)}\r\nKernel panic \u001b[31m- not syncing\r\n`);
    const evidence = await session.capture({ ...SOON, label: '../web-1/7' });
    expect(evidence.status).toBe('running');
    expect(evidence.consoleTail).toMatch(/Kernel panic \\u001b\[31m- not syncing\n$/);
    expect(evidence.consoleTail.length).toBeLessThanOrEqual(65_536);
    const saved = join(folder, 'evidence', '___web-1_7');
    expect(evidence.files).toEqual([join(saved, 'console.txt'), join(saved, 'monitor.json')]);
    expect(readFileSync(join(saved, 'console.txt'), 'utf8')).toBe(evidence.consoleTail);
    expect(JSON.parse(readFileSync(join(saved, 'monitor.json'), 'utf8'))).toMatchObject({
      'query-blockstats': [{ device: 'blk0' }],
    });
  });

  it('is what can be had of a monitor that hangs', async () => {
    const { session, qemu, paths, folder } = await attach();
    qemu.answers.clear();
    writeFileSync(paths.consoleLog, 'last words');
    const saved = join(folder, 'evidence', 'a');
    expect(await session.capture({ deadlineMs: 1_000, label: 'a' })).toEqual({
      consoleTail: 'last words',
      status: 'unknown',
      files: [join(saved, 'console.txt'), join(saved, 'monitor.json')],
    });
  });

  it('is told though it cannot be saved', async () => {
    const { session, paths, folder } = await attach();
    writeFileSync(paths.consoleLog, 'last words');
    writeFileSync(join(folder, 'evidence'), 'not a folder');
    expect(await session.capture({ ...SOON, label: 'a' })).toEqual({
      consoleTail: 'last words',
      status: 'running',
      files: [],
    });
  });
});

describe('a session', () => {
  it('keeps events for a listener that comes later', async () => {
    const { session, qemu } = await attach();
    for (let i = 0; i < 300; i++) qemu.emit('POWERDOWN', {}, i);
    const seen: number[] = [];
    session.onEvent((_, atMs) => seen.push(atMs));
    qemu.emit('STOP', {}, 1000);
    expect(seen).toHaveLength(257);
    expect([seen[0], seen.at(-1)]).toEqual([44, 1000]);
  });

  it('waits for a monitor that has not greeted yet, until the deadline', async () => {
    const { session, qemu } = await attach();
    qemu.connected = false;
    await expect(session.status({ deadlineMs: 100 })).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
    const status = session.status(SOON);
    qemu.tell({ type: 'connected', atMs: 0 });
    expect(await status).toBe('running');
  });

  it('takes back what a daemon left that died while it rebooted the guest', async () => {
    const { qemu } = await attach();
    qemu.shutdownAction = 'pause';
    qemu.tell({ type: 'connected', atMs: 0 });
    await expect.poll(() => qemu.shutdownAction).toBe('poweroff');
    const { qemu: foreign } = await attach({ adopted: true });
    foreign.tell({ type: 'connected', atMs: 0 });
    expect(foreign.commands).toEqual([]);
  });

  it('refuses calls once it is detached, and detaches twice', async () => {
    const agent = new FakeChannel();
    const { session, qemu, process } = await attach({ agent });
    await session.detach();
    await session.detach();
    expect([qemu.closed, agent.closed]).toEqual([true, true]);
    await expect(session.status(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    expect(livingState(process)).toBeDefined();
  });

  it('does not take the next VMM for its own', async () => {
    const agent = new FakeChannel();
    const { session, qemu, process } = await attach({ agent });
    await end(process);
    const calls = [
      session.status(SOON),
      session.reset(SOON),
      session.reboot(SOON),
      session.pause(SOON),
      session.resume(SOON),
      session.continueProcess(SOON),
      session.exec(['true'], SOON),
    ];
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ reason: { code: 'ERR_VMPULSE_VM_NOT_RUNNING' } });
    }
    expect([...qemu.commands, ...agent.commands]).toEqual([]);
    await session.stop('graceful', SOON);
  });

  it('refuses a monitor that is none', async () => {
    const { session, qemu } = await attach();
    qemu.on('query-status', () => ({ state: 'up' }));
    await expect(session.status(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_CHANNEL' });
  });
});

describe('logs', () => {
  it('are cut when a guest has filled them, and their end is kept', async () => {
    const folder = testFolder();
    const [long, short] = [join(folder, 'long'), join(folder, 'short')];
    writeFileSync(long, `${'x'.repeat(9 * 1024 * 1024)}end`);
    writeFileSync(short, 'short');
    const keeper = new LogKeeper([long, short, join(folder, 'none')]);
    await keeper.cutLongLogs();
    keeper.close();
    expect(readFileSync(long, 'utf8')).toBe('');
    expect(readFileSync(`${long}.1`, 'utf8')).toMatch(/^x{262141}end$/);
    expect(readFileSync(short, 'utf8')).toBe('short');
  });
});
