import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../../src/kernel/index.js';
import { nativeKernel } from '../../../src/kernel/loader.js';

// What a real device does is seen in a guest, test/lab/host-watchdog.test.ts: opening one of this host would arm it.
describe('Watchdog', () => {
  it('refuses a device of which the kernel does not say whether it could be disarmed', () => {
    for (const device of ['/no/such/device', '/dev/null']) {
      expect(() => new Watchdog({ device, timeoutSeconds: 30 })).toThrow(
        expect.objectContaining({ code: 'ERR_VMPULSE_UNSUPPORTED' }),
      );
    }
  });

  it('tells which call failed on what is no watchdog', () => {
    const { Watchdog: Native } = nativeKernel();
    expect(() => new Native('/dev/null', 30, 0)).toThrow(
      expect.objectContaining({
        code: 'ERR_VMPULSE_SYSCALL',
        errno: 'ENOTTY',
        syscall: 'ioctl(WDIOC_GETSUPPORT)',
      }),
    );
    expect(() => new Native('/no/such/device', 30, 0)).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
  });

  it.each([
    ['', 30, 0],
    ['/dev/null', 0, 0],
    ['/dev/null', 3601, 0],
    ['/dev/null', 30, -1],
    ['/dev/null', 1.5, 0],
  ] as const)('does not take (%j, %d, %d)', (path, timeout, pretimeout) => {
    const { Watchdog: Native } = nativeKernel();
    expect(() => new Native(path, timeout, pretimeout)).toThrow(
      expect.objectContaining({ code: 'ERR_VMPULSE_ARGUMENT' }),
    );
  });
});
