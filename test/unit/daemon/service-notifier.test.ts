import { describe, expect, it, vi } from 'vitest';
import { ServiceNotifier } from '../../../src/daemon/service-notifier.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { silentLogger } from '../../../src/model/logger.js';

describe('ServiceNotifier', () => {
  it('tells start, reload and end as a service manager expects them', () => {
    const sent: string[] = [];
    const notifier = new ServiceNotifier({ socket: '/run/notify' }, silentLogger, (socket, text) => {
      sent.push(`${socket} ${text}`);
    });
    notifier.ready('watching 3 VMs');
    notifier.reloading();
    notifier.ready('watching 4 VMs');
    notifier.stopping();
    expect(sent).toEqual([
      '/run/notify READY=1\nSTATUS=watching 3 VMs',
      expect.stringMatching(/^\/run\/notify RELOADING=1\nMONOTONIC_USEC=\d+$/),
      '/run/notify READY=1\nSTATUS=watching 4 VMs',
      '/run/notify STOPPING=1',
    ]);
  });

  it('gives signs of life twice as often as asked, while it is not stuck, until the end', () => {
    vi.useFakeTimers();
    try {
      const send = vi.fn();
      const alive = () => send.mock.calls.filter(([, text]) => text === 'WATCHDOG=1').length;
      const notifier = new ServiceNotifier(
        { socket: '/run/notify', watchdogUsec: 2_000_000 },
        silentLogger,
        send,
      );
      let stuck: string | undefined;
      notifier.ready('watches 3 VMs');
      vi.advanceTimersByTime(10_000);
      expect(alive()).toBe(0);
      notifier.watch(() => stuck);
      vi.advanceTimersByTime(5_000);
      expect(alive()).toBe(5);
      stuck = 'the policy is not asked any more';
      vi.advanceTimersByTime(5_000);
      expect(alive()).toBe(5);
      const statuses = send.mock.calls.filter(([, text]) => text.startsWith('STATUS='));
      expect(statuses.map(([, text]) => text)).toEqual([
        'STATUS=no progress: the policy is not asked any more',
      ]);
      stuck = undefined;
      vi.advanceTimersByTime(1_000);
      expect(alive()).toBe(6);
      // What it said before holds again.
      expect(send.mock.calls.at(-2)?.[1]).toBe('STATUS=watches 3 VMs');
      notifier.stopping();
      vi.advanceTimersByTime(5_000);
      expect(alive()).toBe(6);
    } finally {
      vi.useRealTimers();
    }
  });

  it('takes it for stuck where it cannot be asked', () => {
    vi.useFakeTimers();
    try {
      const send = vi.fn();
      const notifier = new ServiceNotifier({ socket: '/run/n', watchdogUsec: 2_000_000 }, silentLogger, send);
      notifier.watch(() => {
        throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the engine is closed');
      });
      vi.advanceTimersByTime(5_000);
      expect(send.mock.calls.map(([, text]) => text)).toEqual(['STATUS=no progress: the engine is closed']);
      notifier.stopping();
    } finally {
      vi.useRealTimers();
    }
  });

  it('says once that nobody listens, and goes on', () => {
    const warn = vi.fn();
    let listening = false;
    const notifier = new ServiceNotifier({ socket: '/run/notify' }, { ...silentLogger, warn }, () => {
      if (!listening) throw new VmpulseError('ERR_VMPULSE_SYSCALL', 'ENOENT');
    });
    notifier.ready('');
    notifier.ready('');
    expect(warn).toHaveBeenCalledTimes(1);
    listening = true;
    notifier.ready('');
    listening = false;
    notifier.ready('');
    expect(warn).toHaveBeenCalledTimes(2);
  });

  it('does nothing where there is no service manager', () => {
    const send = vi.fn();
    const notifier = new ServiceNotifier(undefined, silentLogger, send);
    notifier.ready('');
    notifier.reloading();
    notifier.stopping();
    expect(send).not.toHaveBeenCalled();
  });
});
