import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { livingState } from '../../../src/hypervisors/process.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { FakeChannel } from './fixtures.js';
import { attach, SOON } from './session-bench.js';

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

  it('presses the power button again for a guest that was booting when it was pressed', async () => {
    const { session, qemu, process } = await attach();
    qemu.on('system_powerdown', () => {
      if (qemu.commands.filter((command) => command === 'system_powerdown').length === 2)
        process.child.kill('SIGKILL');
      return {};
    });
    await session.stop('graceful', { deadlineMs: 60_000 });
    expect(livingState(process)).toBeUndefined();
    expect(qemu.commands).not.toContain('quit');
  }, 60_000);

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
    for (const path of [paths.monitorSocket, paths.agentSocket, paths.record, paths.consoleLog])
      writeFileSync(path, '');
    await session.stop('graceful', { deadlineMs: 4_000 });
    expect(livingState(process)).toBeUndefined();
    expect([paths.monitorSocket, paths.agentSocket, paths.record].filter((path) => existsSync(path))).toEqual(
      [],
    );
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
