import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Pidfd } from '../../../src/kernel/index.js';
import { addonPath, descriptorTargets, thrownBy, WaitingChild } from './support.js';

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;

describe('Pidfd', () => {
  it('signals exactly its process, and knows when it is gone', async () => {
    using child = await WaitingChild.start();
    using pidfd = new Pidfd(child.pid);
    expect(pidfd.pid).toBe(child.pid);
    pidfd.signal(0);
    pidfd.signal('SIGTERM');
    expect(await child.ended()).toBe('SIGTERM');
    expect(thrownBy(() => pidfd.signal(0))).toMatchObject({
      name: 'VmpulseError',
      code: 'ERR_VMPULSE_SYSCALL',
      details: { errno: 'ESRCH', syscall: 'pidfd_send_signal' },
    });
  });

  it('lends a close-on-exec, nonblocking descriptor of that process', () => {
    using pidfd = new Pidfd(process.pid);
    const info = readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'latin1');
    expect(info).toMatch(new RegExp(`^Pid:\\s${process.pid}$`, 'm'));
    const flags = Number.parseInt(/^flags:\s(\d+)$/m.exec(info)?.[1] ?? '', 8);
    expect(flags & O_CLOEXEC).toBe(O_CLOEXEC);
    expect(flags & O_NONBLOCK).toBe(O_NONBLOCK);
  });

  it('closes once, and refuses its use afterwards', () => {
    const before = descriptorTargets().filter((target) => target.includes('pidfd')).length;
    const pidfd = new Pidfd(process.pid);
    expect(pidfd.closed).toBe(false);
    pidfd.close();
    pidfd.close();
    expect(pidfd.closed).toBe(true);
    expect(descriptorTargets().filter((target) => target.includes('pidfd')).length).toBe(before);
    expect(thrownBy(() => pidfd.fd)).toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    expect(thrownBy(() => pidfd.signal(0))).toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
  });

  it('does not take away the descriptor that got its number', () => {
    const first = new Pidfd(process.pid);
    const number = first.fd;
    first.close();
    using second = new Pidfd(process.pid);
    expect(second.fd).toBe(number);
    first.close();
    second.signal(0);
  });

  it('is closed by using', () => {
    let kept: Pidfd;
    {
      using pidfd = new Pidfd(process.pid);
      kept = pidfd;
    }
    expect(kept.closed).toBe(true);
  });

  it('names a process that does not exist', async () => {
    using child = await WaitingChild.start();
    process.kill(child.pid, 'SIGKILL');
    await child.ended();
    const error = thrownBy(() => new Pidfd(child.pid));
    expect(error).toMatchObject({
      code: 'ERR_VMPULSE_SYSCALL',
      message: `pidfd_open pid ${child.pid}: ESRCH (No such process)`,
      details: { errno: 'ESRCH', syscall: 'pidfd_open' },
    });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses the pid %d', (pid) => {
    expect(thrownBy(() => new Pidfd(pid))).toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: 'pid must be an integer from 1 to 2147483647',
    });
  });

  it.each([-1, 65, 1.5, Number.NaN])('refuses the signal number %d', (signal) => {
    using pidfd = new Pidfd(process.pid);
    expect(thrownBy(() => pidfd.signal(signal))).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  });

  it('refuses a signal that this host does not have', () => {
    using pidfd = new Pidfd(process.pid);
    expect(thrownBy(() => pidfd.signal('SIGLOST'))).toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: 'SIGLOST is not a signal of this host',
    });
  });

  it('is closed once nobody holds it any more', () => {
    const script = `const k = require(${JSON.stringify(addonPath())});
      const count = () => require('node:fs').readdirSync('/proc/self/fd').length;
      const before = count();
      for (let i = 0; i < 50; i++) new k.Pidfd(process.pid);
      const look = () => { gc(); count() <= before ? process.exit(7) : setTimeout(look, 10); };
      look();`;
    const { status } = spawnSync(process.execPath, ['--expose-gc', '-e', script], { timeout: 20_000 });
    expect(status).toBe(7);
  });
});
