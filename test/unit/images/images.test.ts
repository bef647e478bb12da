import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { readImageHeader } from '../../../src/images/image-header.js';
import { ImageStore, parseChecksum, pullImage } from '../../../src/images/index.js';
import { Deadline } from '../../../src/model/deadline.js';
import { makeOverlay } from '../../../src/runtime/storage/overlay.js';
import { testFolder } from '../../fixtures/folder.js';
import { serve } from './web.js';

const IMAGE = randomBytes(299_520);
const SHA256 = createHash('sha256').update(IMAGE).digest('hex');
const SHA512 = createHash('sha512').update(IMAGE).digest('hex');
const qemuImg = existsSync('/usr/bin/qemu-img');

function bench() {
  const folder = testFolder();
  const store = new ImageStore(folder);
  const pull = (source: string, more: object = {}) =>
    pullImage({ store, source, name: 'debian', maxBytes: 1e6, deadlineMs: 30_000, nowMs: 1, ...more });
  const file = (name: string, content: Buffer | string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  return { folder, store, pull, file };
}

function sector(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.alloc(512)]).subarray(0, 512);
}

/** The beginning of a qcow2 image that is laid over none. */
function qcow2(): Buffer {
  const header = sector('');
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  return header;
}

const checksum = parseChecksum(`sha256:${SHA256}`);

describe('image pull', () => {
  it('copies a file, names it by its digest, and lets nobody write it', async () => {
    const { store, pull, file } = bench();
    const record = await pull(file('x.img', IMAGE), { checksum: parseChecksum(`sha512:${SHA512}`) });
    expect(record).toMatchObject({ name: 'debian', sha256: SHA256, format: 'raw', bytes: IMAGE.length });
    expect(readFileSync(store.pathOf(record))).toEqual(IMAGE);
    expect(statSync(store.pathOf(record)).mode & 0o222).toBe(0);
    expect(await store.list()).toEqual([record]);
    await store.verify(record, {});
  });

  it.each([
    [
      'another checksum',
      { checksum: parseChecksum(`sha256:${'0'.repeat(64)}`) },
      /is not the image of that checksum/,
    ],
    ['too large', { maxBytes: 1000, checksum }, /larger than 1000 bytes/],
    ['no checksum over http', {}, /give its --checksum/],
    ['a wrong name', { name: '../x', checksum }, /is not the name of an image/],
  ])('refuses %s, and leaves no image', async (_what, more, message) => {
    const { store, pull } = bench();
    const url = await serve((_request, response) => response.end(IMAGE));
    await expect(pull(url, more)).rejects.toThrow(message);
    expect(await store.list()).toEqual([]);
  });

  it('refuses what is missing, packed, empty or laid over another image', async () => {
    const { pull, file, folder } = bench();
    const url = await serve((_request, response) => response.writeHead(404).end());
    await expect(pull(url, { checksum })).rejects.toThrow('status 404');
    await expect(pull(join(folder, 'none'))).rejects.toThrow('ENOENT');
    await expect(pull('/dev/zero')).rejects.toThrow('is not a regular file');
    await expect(pull(file('x.xz', Buffer.from('fd377a585a000000', 'hex')))).rejects.toThrow(
      'packed with xz',
    );
    await expect(pull(file('e', ''))).rejects.toThrow('is empty');
    const header = Buffer.alloc(512);
    header.writeUInt32BE(0x514649fb, 0);
    header.writeUInt32BE(3, 4);
    header.writeBigUInt64BE(200n, 8);
    header.writeUInt32BE(11, 16);
    header.write('/etc/shadow', 200);
    await expect(pull(file('h', header))).rejects.toThrow('is laid over another image (/etc/shadow)');
  });

  it.each([
    [
      'a qcow2 image of version 1',
      'x.img',
      Buffer.from('514649fb00000001', 'hex'),
      'is a qcow (version 1) image',
    ],
    ['a VMDK image', 'x.img', 'KDMV', 'is a VMDK image; convert it to qcow2'],
    ['a VDI image', 'x.img', Buffer.concat([Buffer.alloc(64, 'o'), Buffer.from('7f10dabe', 'hex')]), 'VDI'],
    ['a VHDX image', 'x.img', 'vhdxfile', 'is a VHDX image'],
    [
      'a VHD image of fixed size',
      'x.img',
      Buffer.concat([Buffer.alloc(1024), sector('conectix')]),
      'is a VHD',
    ],
    ['an archive', 'x.img', Buffer.concat([Buffer.alloc(257, 'n'), Buffer.from('ustar')]), 'packed with tar'],
    ['what a server says instead', 'x.img', ' <!DOCTYPE html><title>404', 'is a page of text'],
    [
      'a raw disk by the name of a qcow2 image',
      'x.qcow2',
      IMAGE,
      'is to be qcow2, and its content is no qcow2',
    ],
    ['a qcow2 image by the name of a raw disk', 'x.raw', qcow2(), 'is to be raw, and its content is a qcow2'],
    ['a part of a disk', 'x.img', IMAGE.subarray(1), '299519 bytes are no whole sectors of 512'],
  ])('refuses %s', async (_what, name, content, why) => {
    const { store, pull, file } = bench();
    await expect(pull(file(name, content))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_STORAGE',
      message: expect.stringContaining(why),
    });
    expect(await store.list()).toEqual([]);
  });

  it('goes by the content where the name says nothing, and by what is wanted', async () => {
    const { pull, file } = bench();
    expect(await pull(file('x.img', qcow2()))).toMatchObject({ format: 'qcow2' });
    await expect(pull(file('x.img', qcow2()), { format: 'raw' })).rejects.toThrow('is to be raw');
    expect(await pull(file('x.qcow2', IMAGE), { format: 'raw' })).toMatchObject({ format: 'raw' });
  });

  it('says no password of a URL', async () => {
    const { pull } = bench();
    for (const scheme of ['http://', 'https://', 'ftp://', 'sftp:', '']) {
      const refused = pull(`${scheme}me:geheim@example.org/d.img`, { checksum });
      await expect(refused).rejects.toMatchObject({
        code: 'ERR_VMPULSE_ARGUMENT',
        message: expect.not.stringContaining('geheim'),
      });
    }
  });

  it('keeps apart what images of similar names have so far', async () => {
    const { store, pull, file } = bench();
    const path = file('x.img', IMAGE);
    const names = ['debian', 'debian.lock', 'debian.version', 'data'];
    await Promise.all(names.map((name) => pull(path, { name })));
    expect((await store.list()).map(({ name }) => name)).toEqual(names.toSorted());
    expect(readdirSync(dirname(store.partFolder('debian')))).toEqual([]);
  });

  it('waits for no pipe, and not for a file longer than it may', async () => {
    const { folder, store, pull, file } = bench();
    execFileSync('sh', ['-c', `mkfifo ${join(folder, 'pipe')}`]);
    await expect(pull(join(folder, 'pipe'))).rejects.toThrow('is not a regular file');
    await expect(pull(folder)).rejects.toThrow('is not a regular file');
    const path = file('x.img', IMAGE);
    const late = AbortSignal.abort();
    await expect(pull(path, { signal: late })).rejects.toMatchObject({ code: 'ERR_VMPULSE_TIMEOUT' });
    expect(
      existsSync(dirname(store.partFolder('debian'))) && readdirSync(dirname(store.partFolder('debian'))),
    ).toEqual([]);
    await pull(path);
  });

  it('ends by its deadline', async () => {
    const { pull } = bench();
    const url = await serve(() => {});
    await expect(pull(url, { checksum, deadlineMs: 200 })).rejects.toThrow('did not end in time');
  });

  it('verify finds what was changed', async () => {
    const { store, pull, file, folder } = bench();
    const record = await pull(file('x.img', IMAGE));
    execFileSync('sh', [
      '-c',
      `chmod u+w ${store.pathOf(record)} && printf x | dd of=${store.pathOf(record)} conv=notrunc status=none`,
    ]);
    await expect(store.verify(record, {})).rejects.toThrow('is not what was pulled');
    await expect(new ImageStore(folder).get('other')).rejects.toThrow('there is no image other');
  });

  it.each(['sha256:12', 'md5:00', `sha512:${'0'.repeat(64)}`, ''])('%j is no checksum', (text) => {
    expect(() => parseChecksum(text)).toThrow('is not a checksum');
  });
});

describe('a disk that is laid over an image', () => {
  beforeEach((context) => {
    if (!qemuImg) context.skip('qemu-img is not installed');
  });

  const disk = (folder: string, bytes?: number) => ({
    name: 'root',
    path: join(folder, 'disks/default/web/root.qcow2'),
    format: 'qcow2' as const,
    readOnly: false,
    overlay: { image: 'debian', ...(bytes === undefined ? {} : { bytes }) },
  });
  const later = () => Date.now() + 2 * 86_400_000;
  const soon = () => new Deadline('disk', { deadlineMs: 30_000 });

  it('is made once, keeps its image when the name goes on to another, and gc knows which are needed', async () => {
    const { folder, store, pull, file } = bench();
    const first = await pull(file('a.img', Buffer.alloc(1024 * 1024, 1)), { maxBytes: 1e7 });
    const base = await makeOverlay(disk(folder, 8 * 1024 * 1024), folder, soon());
    expect(base).toBe(store.pathOf(first));
    expect(await readImageHeader(disk(folder).path)).toEqual({
      format: 'qcow2',
      virtualBytes: 8 * 1024 * 1024,
      backing: store.pathOf(first),
    });
    const inode = statSync(disk(folder).path).ino;
    const second = await pull(file('b.img', Buffer.alloc(1024 * 1024, 2)), { maxBytes: 1e7 });
    await makeOverlay(disk(folder), folder, soon());
    expect(statSync(disk(folder).path).ino).toBe(inode);
    expect(await store.unused(later())).toEqual({ files: [] });
    const third = await pull(file('c.img', Buffer.alloc(1024 * 1024, 3)), { maxBytes: 1e7 });
    expect((await store.unused(later())).files.map(({ path }) => path)).toEqual([store.pathOf(second)]);
    expect(existsSync(store.pathOf(third))).toBe(true);
    await store.verify(first, {});
  });

  it('is not made smaller than its image, nor of an image that is not there', async () => {
    const { folder, pull, file } = bench();
    await expect(makeOverlay(disk(folder), folder, soon())).rejects.toThrow('there is no image debian');
    await pull(file('a.img', Buffer.alloc(1024 * 1024)), { maxBytes: 1e7 });
    await expect(makeOverlay(disk(folder, 1024), folder, soon())).rejects.toThrow('cannot be smaller');
    expect(existsSync(disk(folder).path)).toBe(false);
  });
});
