import { copyFileSync, existsSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { openProcess, processState, readProcessStat } from '../../../src/kernel/index.js';
import { descriptorTargets, TemporaryFolder, thrownBy, WaitingChild } from './support.js';

function pidfdCount(): number {
  return descriptorTargets().filter((target) => target.includes('pidfd')).length;
}

async function endedPid(): Promise<number> {
  using child = await WaitingChild.start();
  process.kill(child.pid, 'SIGKILL');
  await child.ended();
  return child.pid;
}

describe('readProcessStat', () => {
  it('reads past a name that looks like more fields', async (ctx) => {
    if (!existsSync('/bin/sleep')) ctx.skip('no /bin/sleep to copy');
    using folder = new TemporaryFolder();
    const program = folder.file('a) Z 1 (b c');
    copyFileSync('/bin/sleep', program);
    using plain = await WaitingChild.start();
    using odd = await WaitingChild.start(program);
    await vi.waitFor(() => expect(processState(odd.pid)).toBe('S'), 10_000);
    const [first, second] = [readProcessStat(plain.pid), readProcessStat(odd.pid)];
    expect(second?.startTimeTicks).toBeGreaterThanOrEqual(first?.startTimeTicks ?? Number.POSITIVE_INFINITY);
    expect(second?.startTimeTicks).toBeLessThan((first?.startTimeTicks ?? 0) + 60 * 100);
  });

  it('is undefined where there is no process', async () => {
    expect(readProcessStat(await endedPid())).toBeUndefined();
  });
});

describe('processState', () => {
  it('follows a process from running over stopped to gone', async () => {
    using child = await WaitingChild.start();
    process.kill(child.pid, 'SIGSTOP');
    await vi.waitFor(() => expect(processState(child.pid)).toBe('T'), 10_000);
    process.kill(child.pid, 'SIGCONT');
    await vi.waitFor(() => expect(processState(child.pid)).toBe('S'), 10_000);
    process.kill(child.pid, 'SIGKILL');
    await child.ended();
    expect(processState(child.pid)).toBeUndefined();
  });
});

describe('openProcess', () => {
  it('opens a process with its identity, and again by it', async () => {
    using child = await WaitingChild.start();
    const opened = openProcess(child.pid);
    opened.pidfd.close();
    expect(opened.identity).toEqual({
      pid: child.pid,
      startTimeTicks: readProcessStat(child.pid)?.startTimeTicks,
    });
    const again = openProcess(child.pid, opened.identity.startTimeTicks);
    again.pidfd.signal('SIGKILL');
    again.pidfd.close();
    expect(await child.ended()).toBe('SIGKILL');
  });

  it('refuses another process of the same PID, and keeps nothing open', async () => {
    using child = await WaitingChild.start();
    const ticks = readProcessStat(child.pid)?.startTimeTicks ?? 0;
    const before = pidfdCount();
    expect(thrownBy(() => openProcess(child.pid, ticks - 1))).toMatchObject({
      code: 'ERR_VMPULSE_IDENTITY',
      message: expect.stringContaining(`it started at tick ${ticks}, not ${ticks - 1}`),
      details: { pid: child.pid },
    });
    expect(pidfdCount()).toBe(before);
  });

  it('tells a missing process apart by what was expected', async () => {
    const pid = await endedPid();
    expect(thrownBy(() => openProcess(pid, 1))).toMatchObject({ code: 'ERR_VMPULSE_IDENTITY' });
    expect(thrownBy(() => openProcess(pid))).toMatchObject({
      code: 'ERR_VMPULSE_SYSCALL',
      details: { errno: 'ESRCH' },
    });
  });
});
