import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { backingFile, snapshotNames } from '../../../src/hypervisors/libvirt/qcow2.js';
import { readImageHeader } from '../../../src/images/image-header.js';
import { testFolder } from '../../fixtures/folder.js';

const img = (...args: string[]) => execFileSync('qemu-img', args, { stdio: 'pipe' });

/** A block device over the file until the end of the test. */
function loopDevice(file: string): { readonly path: string } | { readonly reason: string } {
  try {
    const path = execFileSync('losetup', ['--find', '--show', file], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
    onTestFinished(() => {
      execFileSync('losetup', ['--detach', path]);
    });
    return { path };
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    return { reason: `no loop device can be made here: ${stderr?.trim() || message}` };
  }
}

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

  it('is refused where the name of what it is laid over cannot be one, or is cut off', async () => {
    const folder = testFolder();
    const [base, disk] = [join(folder, 'base.raw'), join(folder, 'disk.qcow2')];
    writeFileSync(base, Buffer.alloc(1024 * 1024));
    img('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, disk);
    const bytes = readFileSync(disk);
    bytes.writeUInt32BE(1024, 16);
    writeFileSync(disk, bytes);
    for (const look of [backingFile, readImageHeader, snapshotNames])
      await expect(look(disk)).rejects.toThrow('has 1024 bytes, and 1023 are possible');
    bytes.writeUInt32BE(1023, 16);
    bytes.writeBigUInt64BE(BigInt(bytes.length - 10), 8);
    writeFileSync(disk, bytes);
    for (const look of [backingFile, readImageHeader])
      await expect(look(disk)).rejects.toThrow('ends within its header');
  });

  it('on a block device says the same as in a file', async (context) => {
    const file = join(testFolder(), 'disk');
    writeFileSync(file, '');
    truncateSync(file, 8 * 1024 * 1024);
    const device = loopDevice(file);
    if ('reason' in device) context.skip(device.reason);
    else {
      img('create', '-q', '-f', 'qcow2', device.path, '1M');
      for (const name of ['a', 'b']) img('snapshot', '-c', name, device.path);
      expect(await snapshotNames(device.path)).toEqual(['a', 'b']);
      expect(await backingFile(device.path)).toBeUndefined();
      expect(await readImageHeader(device.path)).toEqual({ format: 'qcow2', virtualBytes: 1024 * 1024 });
    }
  });
});
