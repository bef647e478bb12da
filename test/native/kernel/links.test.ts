import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { linkInfo } from '../../../src/kernel/index.js';

const SCRIPT = fileURLToPath(new URL('links-in-namespace.mjs', import.meta.url));

it('reads a device of this host', () => {
  expect(linkInfo('lo')).toMatchObject({ index: 1, name: 'lo', kind: null, master: null, tun: null });
});

it('makes, changes, reads and hears of devices', { timeout: 60_000 }, (context) => {
  const own = spawnSync('unshare', ['--net', 'true']);
  if (own.status !== 0) context.skip('no network namespace can be made here: it needs CAP_SYS_ADMIN');
  const output = execFileSync('unshare', ['--net', process.execPath, SCRIPT], {
    encoding: 'utf8',
    timeout: 50_000,
  });
  const found = JSON.parse(output);
  expect(found.tap).toMatchObject({
    name: 'tap0',
    kind: 'tun',
    up: true,
    carrier: false,
    master: 'br0',
    receivedPackets: 0,
    tun: { type: 'tap', persistent: true, vnetHeader: true, multiQueue: false, owner: 1000, group: null },
  });
  expect(found.bridge).toMatchObject({ kind: 'bridge', up: true, mac: '02:00:00:00:00:07', tun: null });
  expect(found.addresses).toContain('10.77.0.1/24');
  expect(found).toMatchObject({ missing: null, alone: null, gone: null, closed: true, afterClose: 0 });
  expect(found.again).toMatchObject({ code: 'ERR_VMPULSE_SYSCALL', errno: 'EBUSY' });
  expect(found.again.message).toContain('a device of that name is there already');
  expect(found.noDevice).toMatchObject({ code: 'ERR_VMPULSE_SYSCALL', errno: 'ENODEV' });
  expect(found.noName).toEqual(Array(6).fill('ERR_VMPULSE_ARGUMENT'));
  expect(found).toMatchObject({
    noMac: 'ERR_VMPULSE_ARGUMENT',
    noAddress: 'EINVAL',
  });
});
