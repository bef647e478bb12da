import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { livingState, startedAtMs } from '../../../src/hypervisors/process.js';
import { LogKeeper } from '../../../src/hypervisors/qemu/logs.js';
import { QemuMonitor } from '../../../src/hypervisors/qemu/monitor.js';
import { vmPaths } from '../../../src/hypervisors/qemu/paths.js';
import { QemuSession } from '../../../src/hypervisors/qemu/session.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { FakeChannel, testFolder, testHost, testVm } from './fixtures.js';
import { end, standIn } from './processes.js';

/** A QEMU as far as its monitor goes. */
class FakeQemu extends FakeChannel {
  status = 'running';
  shutdownAction = 'poweroff';

  constructor() {
    super();
    this.on('query-status', () => ({ running: this.status === 'running', status: this.status }));
    this.on('system_reset', () => {
      queueMicrotask(() => this.#reset());
      return {};
    });
    this.on('cont', () => {
      this.status = 'running';
      return {};
    });
    this.on('stop', () => {
      this.status = 'paused';
      return {};
    });
    this.on('set-action', (args) => {
      this.shutdownAction = String(args?.shutdown);
      return {};
    });
  }

  #reset(): void {
    if (this.status !== 'running') this.status = 'prelaunch';
    this.emit('RESET', { guest: false, reason: 'host-qmp-system-reset' });
  }
}

interface Options {
  readonly agent?: FakeChannel | undefined;
  readonly argv?: readonly string[];
  readonly adopted?: boolean;
}

async function attach({ agent, argv = ['qemu'], adopted = false }: Options = {}) {
  const folder = testFolder();
  const vm = testVm();
  const paths = vmPaths(folder, vm);
  mkdirSync(paths.folder, { recursive: true });
  const process = await standIn([]);
  const qemu = new FakeQemu();
  const session = new QemuSession({
    vm,
    vmm: { ...process, argv, startedAtMs: startedAtMs(process.startTimeTicks) },
    handle: testHost().openProcess(process),
    monitor: new QemuMonitor(qemu),
    agent,
    paths: adopted ? undefined : paths,
    evidenceDir: join(folder, 'evidence'),
  });
  return { session, qemu, process, paths, folder };
}

const SOON = { deadlineMs: 5_000 };

describe('reset', () => {
  it('resets a running guest', async () => {
    const { session, qemu } = await attach();
    await session.reset(SOON);
    expect(qemu.commands).toEqual(['system_reset', 'query-status']);
  });

  it.each([
    'guest-panicked',
    'watchdog',
    'paused',
    'internal-error',
  ])('lets a guest run that was %s', async (status) => {
    const { session, qemu } = await attach();
    qemu.status = status;
    await session.reset(SOON);
    expect(qemu.status).toBe('running');
    expect(qemu.commands.indexOf('cont')).toBeGreaterThan(qemu.commands.indexOf('system_reset'));
  });

  it('fails at its deadline if the guest does not run, and says how it is', async () => {
    const { session, qemu } = await attach();
    qemu.on('query-status', () => ({ status: 'io-error' }));
    await expect(session.reset({ deadlineMs: 200 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
      message: expect.stringContaining('its status is io-error'),
    });
  });

  it.each([
    [['qemu', '-no-reboot']],
    [['qemu', '-action', 'reboot=shutdown']],
  ])('refuses with %j, which would end the VMM', async (argv) => {
    const { session, qemu } = await attach({ argv });
    await expect(session.reset(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
    await expect(session.reboot(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
    expect(qemu.commands).toEqual([]);
  });
});

describe('reboot', () => {
  it('asks the agent, whose success has no reply', async () => {
    const agent = new FakeChannel().on('guest-ping', () => ({}));
    const { session, qemu } = await attach({ agent });
    const reboot = session.reboot(SOON);
    await expect
      .poll(() => agent.requests.at(-1))
      .toEqual({ command: 'guest-shutdown', args: { mode: 'reboot' } });
    qemu.emit('RESET', { guest: true, reason: 'guest-reset' });
    await reboot;
    expect(qemu.commands).not.toContain('system_powerdown');
  });

  it('fails when the agent refuses', async () => {
    const agent = new FakeChannel().on('guest-ping', () => ({}));
    agent.on('guest-shutdown', () => {
      throw new VmpulseError('ERR_VMPULSE_COMMAND', 'the command guest-shutdown has been disabled');
    });
    const { session } = await attach({ agent });
    await expect(session.reboot(SOON)).rejects.toThrow('has been disabled');
  });

  it('presses the power button without an agent, and holds the guest for the next boot', async () => {
    const { session, qemu } = await attach();
    qemu.on('system_powerdown', () => {
      expect(qemu.shutdownAction).toBe('pause');
      qemu.status = 'shutdown';
      queueMicrotask(() => qemu.emit('SHUTDOWN', { guest: true, reason: 'guest-shutdown' }));
      return {};
    });
    await session.reboot(SOON);
    expect(qemu.status).toBe('running');
    expect(qemu.shutdownAction).toBe('poweroff');
  });

  it('leaves the shutdown action as it was, whatever happens', async () => {
    const { session, qemu } = await attach({ argv: ['qemu', '-no-shutdown'], adopted: true });
    qemu.on('system_powerdown', () => ({}));
    await expect(session.reboot({ deadlineMs: 200 })).rejects.toMatchObject({ code: 'ERR_VMPULSE_TIMEOUT' });
    expect(qemu.shutdownAction).toBe('pause');
  });
});

describe('stop', () => {
  it('is done when the guest ends by its power button', async () => {
    const { session, qemu, process } = await attach();
    qemu.on('system_powerdown', () => {
      process.child.kill('SIGKILL');
      return {};
    });
    await session.stop('graceful', SOON);
    expect(livingState(process)).toBeUndefined();
    expect(qemu.commands).not.toContain('quit');
  });

  it('asks a VMM to quit that stays after its guest is off', async () => {
    const { session, qemu, process } = await attach();
    qemu.on('system_powerdown', () => {
      queueMicrotask(() => qemu.emit('SHUTDOWN', { guest: true }));
      return {};
    });
    qemu.on('quit', () => {
      process.child.kill('SIGKILL');
      return {};
    });
    await session.stop('graceful', { deadlineMs: 20_000 });
    expect(livingState(process)).toBeUndefined();
  });

  it('kills in the end, and clears the sockets and the record away', async () => {
    const { session, process, paths } = await attach();
    for (const path of [paths.qmpSocket, paths.agentSocket, paths.record, paths.consoleLog])
      writeFileSync(path, '');
    await session.stop('graceful', { deadlineMs: 400 });
    expect(livingState(process)).toBeUndefined();
    expect([paths.qmpSocket, paths.agentSocket, paths.record].filter((path) => existsSync(path))).toEqual([]);
    expect(existsSync(paths.consoleLog)).toBe(true);
  });

  it('does not wait for a guest that does not run', async () => {
    const { session, qemu, process } = await attach();
    qemu.status = 'paused';
    qemu.on('quit', () => {
      process.child.kill('SIGKILL');
      return {};
    });
    await session.stop('graceful', { deadlineMs: 60_000 });
    expect(qemu.commands).toEqual(['query-status', 'quit']);
  });

  it('kills a stopped process by force', async () => {
    const { session, qemu, process } = await attach();
    process.child.kill('SIGSTOP');
    await session.stop('force', SOON);
    expect(livingState(process)).toBeUndefined();
    expect(qemu.commands).toEqual([]);
    // It would else hold the monitor of the VMM that comes next.
    expect(qemu.closed).toBe(true);
    await session.stop('force', SOON);
  });

  it('kills nothing once it is withdrawn', async () => {
    const { session, qemu, process } = await attach();
    const abort = new AbortController();
    qemu.on('system_powerdown', () => {
      queueMicrotask(() => abort.abort());
      return {};
    });
    await expect(session.stop('graceful', { ...SOON, signal: abort.signal })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ABORTED',
    });
    expect(livingState(process)).toBeDefined();
  });
});

describe('pause, resume and continue', () => {
  it('stops and continues the guest', async () => {
    const { session, qemu } = await attach();
    await session.pause(SOON);
    expect(await session.status(SOON)).toBe('paused');
    await session.resume(SOON);
    expect(qemu.status).toBe('running');
  });

  it('does not resume a guest whose watchdog would stay dead', async () => {
    const { session, qemu } = await attach();
    qemu.status = 'watchdog';
    await expect(session.resume(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
    expect(qemu.commands).not.toContain('cont');
  });

  it('continues a stopped process', async () => {
    const { session, process } = await attach();
    process.child.kill('SIGSTOP');
    await expect.poll(() => livingState(process)).toBe('T');
    await session.continueProcess(SOON);
    expect(livingState(process)).not.toBe('T');
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
