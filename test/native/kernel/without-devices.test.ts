import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { addonPath } from './support.js';

// A process that sees an empty /dev: a user and mount namespace of its own with a tmpfs over it.
const inEmptyDev = ['--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs none /dev && exec "$@"', 'sh'];

function run(expression: string): unknown {
  const script = `const k = require(${JSON.stringify(addonPath())});
    const show = (value) => console.log(JSON.stringify(value));
    (async () => ${expression})().then(show, ({ code, errno, syscall, message }) => show({ code, errno, syscall, message }));`;
  const result = spawnSync('unshare', [...inEmptyDev, process.execPath, '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

const probe = spawnSync('unshare', [...inEmptyDev, 'true'], { timeout: 20_000 });
const refused = probe.status === 0 ? undefined : 'this user may not make a user and mount namespace';

describe('without devices', () => {
  it('kvmInfo names /dev/kvm', (ctx) => {
    if (refused !== undefined) ctx.skip(refused);
    expect(run('k.kvmInfo()')).toEqual({
      code: 'ERR_VMPULSE_SYSCALL',
      errno: 'ENOENT',
      syscall: 'open',
      message: 'open /dev/kvm: ENOENT (No such file or directory)',
    });
  });

  it('kvmCanary has a result that says why', (ctx) => {
    if (refused !== undefined) ctx.skip(refused);
    expect(run('k.kvmCanary(1000).promise')).toMatchObject({
      ok: false,
      reason: 'syscall-failed',
      detail: 'open /dev/kvm: ENOENT (No such file or directory)',
      output: '',
    });
  });

  it('vsockLocalCid names /dev/vsock', (ctx) => {
    if (refused !== undefined) ctx.skip(refused);
    expect(run('k.vsockLocalCid()')).toMatchObject({ code: 'ERR_VMPULSE_SYSCALL', errno: 'ENOENT' });
  });
});
