import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sdNotify, vsockLocalCid } from '../../../src/kernel/index.js';
import { TemporaryFolder, thrownBy } from './support.js';

describe('vsockLocalCid', () => {
  it('tells the context id of this machine', (ctx) => {
    if (!existsSync('/dev/vsock')) ctx.skip('no /dev/vsock on this machine');
    expect(vsockLocalCid()).toBeGreaterThanOrEqual(1);
  });
});

// That messages arrive is tested in C++ (sd_notify_test.cpp): Node has no datagram sockets of the Unix family.
describe('sdNotify', () => {
  it('names a socket where nobody listens', () => {
    using folder = new TemporaryFolder();
    const path = folder.file('notify');
    expect(thrownBy(() => sdNotify(path, 'READY=1'))).toMatchObject({
      code: 'ERR_VMPULSE_SYSCALL',
      message: `sendto ${path}: ENOENT (No such file or directory)`,
      details: { errno: 'ENOENT', syscall: 'sendto' },
    });
    expect(thrownBy(() => sdNotify('@vmpulse-nobody-listens', 'READY=1'))).toMatchObject({
      details: { errno: 'ECONNREFUSED' },
    });
  });

  it.each([
    '',
    'relative/notify',
    `/${'x'.repeat(108)}`,
    '/run/\0',
  ])('refuses a wrong socket path', (path) => {
    expect(thrownBy(() => sdNotify(path, 'READY=1'))).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  });

  it.each(['', 'x'.repeat(4097), 'a\0b'])('refuses a wrong message', (message) => {
    expect(thrownBy(() => sdNotify('/run/none', message))).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  });
});
