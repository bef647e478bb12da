import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sharesOf } from '../../../src/runtime/shares.js';
import { testVm } from '../qemu/fixtures.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmpulse-shares-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('names storage, bridge, network and labels, narrowest first', () => {
  const disk = join(root, 'disk.img');
  writeFileSync(disk, '');
  mkdirSync(join(root, 'sys/class/net/tap0'), { recursive: true });
  symlinkSync('../br7', join(root, 'sys/class/net/tap0/master'));
  const vm = testVm(
    {
      disks: [
        { name: 'a', path: disk, format: 'raw', readOnly: false },
        { name: 'gone', path: join(root, 'none.img'), format: 'raw', readOnly: false },
      ],
      interfaces: [
        { type: 'tap', device: 'tap0' },
        { type: 'tap', device: 'tap-none' },
      ],
    },
    { address: '192.0.2.17', labels: { rack: 'r7' } },
  );
  const { dev } = statSync(disk);
  const device = `storage ${dev >>> 8}:${dev & 0xff}`;
  expect(sharesOf(vm, root)).toEqual([device, 'bridge br7', 'network 192.0.2.0/24', 'label rack=r7']);
});

it.each([
  ['127.0.0.1', []],
  ['::1', []],
  ['2001:db8:0:7::1', ['network 2001:db8:0:7::/64']],
  ['2001:db8::9', ['network 2001:db8:0:0::/64']],
  ['fe80::1', ['network fe80:0:0:0::/64']],
  ['web.example', []],
])('probes of %s go through %j', (address, networks) => {
  const vm = testVm({ disks: [], interfaces: [] }, { address });
  expect(sharesOf(vm, root)).toEqual(networks);
});
