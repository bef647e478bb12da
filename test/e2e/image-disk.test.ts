import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import { createDrivers } from '../../src/hypervisors/registry.js';
import { ImageStore, pullImage } from '../../src/images/index.js';
import { WorkerPool } from '../../src/pool/index.js';
import { vmStorage } from '../../src/runtime/storage/vm-storage.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { whyNoQemu } from './qemu-program.js';

const SOON = { deadlineMs: 30_000 };
const folder = mkdtempSync(join(tmpdir(), 'vmp-i-'));
const engine = new ProbeEngine();
const pool = new WorkerPool();

afterAll(async () => {
  await engine.close();
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a VM whose disk is laid over an image', () => {
  it('gets the disk before it starts, keeps it, and leaves the image as it was', {
    timeout: 120_000,
  }, async (context) => {
    const skip = whyNoQemu();
    if (skip !== undefined) context.skip(skip);
    const store = new ImageStore(folder);
    writeFileSync(join(folder, 'source.img'), Buffer.alloc(1024 * 1024, 7));
    const source = join(folder, 'source.img');
    const image = await pullImage({ ...SOON, store, source, name: 'tiny', maxBytes: 1e8, nowMs: 0 });
    const { qemu: driver } = createDrivers({
      runDir: join(folder, 'run'),
      stateDir: folder,
      lockDir: join(folder, 'lock'),
      searchPath: process.env.PATH ?? '',
      engine,
      pool,
      storage: vmStorage(folder),
    });
    const path = join(folder, 'disks/default/web-1/root.qcow2');
    const overlay = { image: 'tiny', bytes: 16 * 1024 * 1024 };
    const disks = [{ name: 'root', path, format: 'qcow2' as const, readOnly: false, overlay }];
    const hardware = { machine: 'pc', memoryMiB: 64, guestAgent: false, pvpanic: false, disks };
    const vm = testVm(hardware, { uuid: crypto.randomUUID() });
    await driver.proveStart(vm, SOON);
    const { ino } = statSync(path);
    const started = await driver.start(vm, SOON);
    const session = await driver.attach(vm, started, SOON);
    onTestFinished(() => session.detach());
    expect(await session.status(SOON)).toBe('running');
    await session.stop('force', SOON);
    expect(statSync(path).ino).toBe(ino);
    await store.verify(image, {});
  });
});
