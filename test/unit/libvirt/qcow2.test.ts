import { execFileSync } from 'node:child_process';
import { existsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { backingFile, snapshotNames } from '../../../src/hypervisors/libvirt/qcow2.js';
import { testFolder } from '../qemu/fixtures.js';

const img = (...args: string[]) => execFileSync('qemu-img', args, { stdio: 'pipe' });

describe('a qcow2 image', () => {
  beforeEach((context) => {
    if (!existsSync('/usr/bin/qemu-img')) context.skip('qemu-img is not installed');
  });

  it('says what it is laid over, and what is saved in it', async () => {
    const folder = testFolder();
    const [base, disk] = [join(folder, 'base.raw'), join(folder, 'disk.qcow2')];
    writeFileSync(base, Buffer.alloc(1024 * 1024));
    img('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, disk);
    expect(await backingFile(disk)).toBe(base);
    expect(await snapshotNames(disk)).toEqual([]);
    for (const name of ['a', 'of a longer name', 'ä'.repeat(50)]) img('snapshot', '-c', name, disk);
    expect(await snapshotNames(disk)).toEqual(['a', 'of a longer name', 'ä'.repeat(50)]);
    img('create', '-q', '-f', 'qcow2', disk, '1M');
    expect(await backingFile(disk)).toBeUndefined();
  });

  it('is refused where it is none, or damaged', async () => {
    const disk = join(testFolder(), 'disk');
    writeFileSync(disk, Buffer.alloc(4096));
    for (const look of [backingFile, snapshotNames])
      await expect(look(disk)).rejects.toMatchObject({ code: 'ERR_VMPULSE_STORAGE' });
    img('create', '-q', '-f', 'qcow2', disk, '1M');
    img('snapshot', '-c', 'a', disk);
    truncateSync(disk, 4096);
    await expect(snapshotNames(disk)).rejects.toThrow('damaged');
    await expect(snapshotNames('/none')).rejects.toThrow('ENOENT');
  });
});
