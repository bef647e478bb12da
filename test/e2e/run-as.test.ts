import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { QemuSpec } from '../../src/model/hypervisors/qemu.js';
import { tinyGuest } from '../lab/tiny-guest.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { DriverBench, SOON } from './driver-bench.js';
import { whyNoQemu } from './qemu-program.js';

/** Nobody's on this host. */
const USER = { user: '54321', group: '54321' };

describe('a VMM that runs as a user of its own', () => {
  let bench: DriverBench;

  beforeAll(() => {
    bench = new DriverBench();
    // The user has to get to the firmware and to the VM's folder.
    chmodSync(bench.folder, 0o711);
  });
  beforeEach((context) => {
    if (process.getuid?.() !== 0) context.skip('only root can run a VMM as somebody else');
    const missing = whyNoQemu();
    if (missing !== undefined) context.skip(missing);
  });
  afterAll(() => bench.close());

  function vmOf(name: string, more: Partial<QemuSpec>) {
    const hypervisor = { ...tinyGuest(bench.folder, 'idle', 5), runAs: USER, ...more };
    return testVm(hypervisor, { id: `e2e/${name}`, namespace: 'e2e', name, uuid: randomUUID() });
  }

  it("has that user and no right beyond, and its folder is vmpulse's again", async () => {
    const driver = bench.newDriver();
    const vm = vmOf('own', {});
    const { pid } = await bench.start(driver, vm);
    const said = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(said).toMatch(/^Uid:(\s+54321){4}$/m);
    expect(said).toMatch(/^Gid:(\s+54321){4}$/m);
    expect(said).toMatch(/^Groups:\s*$/m);
    expect(said).toMatch(/^CapEff:\s+0+$/m);
    const session = await bench.attached(driver, vm);
    expect(await session.status(SOON)).toBe('running');
    const socket = readFileSync(`/proc/${pid}/cmdline`, 'utf8').match(/path=([^,\0]+)\/qmp\.sock/)?.[1] ?? '';
    expect(statSync(socket)).toMatchObject({ uid: 0, gid: 54321 });
    expect(statSync(socket).mode & 0o777).toBe(0o710);
    expect(statSync(join(socket, 'console.log')).uid).toBe(54321);
    await session.stop('force', SOON);
  });

  it('is not started where it cannot open its disk; what is missing is named with its remedy', async () => {
    const path = join(bench.folder, 'secret.raw');
    writeFileSync(path, Buffer.alloc(1 << 20), { mode: 0o600 });
    const vm = vmOf('denied', { disks: [{ name: 'root', path, format: 'raw', readOnly: false }] });
    await expect(bench.newDriver().start(vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringContaining(
        `disk root: user 54321 may not read and write ${path}; give it to that user`,
      ),
    });
  });

  it('is not started as a user that is not known', async () => {
    const vm = vmOf('unknown', { runAs: { user: 'nobody-of-that-name' } });
    await expect(bench.newDriver().start(vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringContaining('runAs: there is no user nobody-of-that-name on this host'),
    });
  });

  it('is not started with limits that nothing holds it to', async (context) => {
    if (existsSync('/run/systemd/system')) context.skip('systemd runs here, and would hold it to them');
    const vm = vmOf('limits', { limits: { memoryMiB: 512 } });
    await expect(bench.newDriver().start(vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringContaining('limits: a VMM is held to them by systemd'),
    });
  });
});
