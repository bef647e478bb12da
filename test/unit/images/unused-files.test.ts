import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImageStore } from '../../../src/images/index.js';
import { testFolder } from '../../fixtures/folder.js';

const DAY_MS = 86_400_000;
const IMAGE = `${'a'.repeat(64)}.raw`;

/** A store with one image that no name stands for. */
async function setUp() {
  const folder = testFolder();
  const store = new ImageStore(folder);
  await store.prepare();
  const write = (name: string, content: Buffer | string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  };
  write(`images/files/${IMAGE}`, 'x');
  const unused = async (atMs = Date.now() + 2 * DAY_MS) =>
    (await store.unused(atMs)).files.map(({ path }) => path.slice(folder.length + 1));
  return { folder, store, write, unused };
}

/** The beginning of a qcow2 file. */
function overlay(backing: string): Buffer {
  const header = Buffer.alloc(512);
  header.writeUInt32BE(0x5146_49fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(112n, 8);
  header.writeUInt32BE(backing.length, 16);
  header.write(backing, 112);
  return header;
}

describe('what nobody needs of the images', () => {
  it('is a file that no name stands for and no disk is laid over, once it is a day old', async () => {
    const { unused } = await setUp();
    expect(await unused()).toEqual([`images/files/${IMAGE}`]);
    // A pull gives a file its place before its name points there.
    expect(await unused(Date.now() + DAY_MS / 2)).toEqual([]);
  });

  it.each([
    ['its path', (path: string) => path],
    ['its path by another way', () => `/elsewhere/images/files/${IMAGE}`],
    ['a description', (path: string) => `json:{"file": {"filename": "${path}"}}`],
  ])('is not what a disk names by %s', async (_how, text) => {
    const { folder, write, unused } = await setUp();
    write('disks/demo/web/root.qcow2', overlay(text(join(folder, 'images/files', IMAGE))));
    expect(await unused()).toEqual([]);
  });

  it.each([
    ['a disk whose header is garbage', 'disks/demo/web/root.qcow2', Buffer.alloc(512, 7)],
    ['a disk that ends within its header', 'disks/demo/web/root.qcow2', overlay('/x').subarray(0, 113)],
    ['a record that does not parse', 'images/debian.json', '{"name": "deb'],
  ])('is no image beside %s', async (_what, name, content) => {
    const { write, unused, store } = await setUp();
    write(name, content);
    expect(await unused()).toEqual([]);
    expect((await store.unused(Date.now() + 2 * DAY_MS)).unsure).toMatch(/\w/);
  });

  it('says which disk keeps it from being told', async () => {
    const { write, store } = await setUp();
    write('disks/demo/web/root.qcow2', Buffer.alloc(512, 7));
    const { unsure } = await store.unused(Date.now() + 2 * DAY_MS);
    expect(unsure).toContain('disks/demo/web/root.qcow2 has not the header of its format');
  });

  it.each([
    ['torn', Buffer.alloc(64)],
    ['whole', overlay(`/x/${IMAGE}`)],
  ])('is the beginning of a disk whose maker died, %s, after a day', async (_what, content) => {
    const { write, unused, store } = await setUp();
    const begun = 'disks/demo/web/root.qcow2.6cf1fb0b-56ee-4739-a877-5671b886bc55.new';
    write(begun, content);
    expect(await unused()).toEqual([`images/files/${IMAGE}`, begun]);
    const today = await store.unused(Date.now());
    expect(today.files).toEqual([]);
  });

  it('is no image while a folder of disks cannot be read', async () => {
    const { folder, write, unused } = await setUp();
    write('disks/demo/web/root.qcow2', overlay('/x'));
    symlinkSync('loop', join(folder, 'disks/demo/loop'));
    expect(await unused()).toEqual([]);
  });

  it('goes by the disks that are left when one goes meanwhile', async () => {
    const { folder, write, unused } = await setUp();
    write('disks/demo/web/root.qcow2', overlay(`/x/${IMAGE}`));
    symlinkSync(join(folder, 'gone'), join(folder, 'disks/demo/gone'));
    expect(await unused()).toEqual([]);
  });

  it('is the beginning that a pull has left, after a day in which nothing came', async () => {
    const { write, unused } = await setUp();
    write('images/parts/x/data', 'y');
    expect(await unused()).toContain('images/parts/x');
    expect(await unused(Date.now())).toEqual([]);
  });

  it('is no beginning that still grows', async () => {
    const { folder, write, unused } = await setUp();
    write('images/parts/x/data', 'y');
    const recently = Date.now() / 1000 + (1.5 * DAY_MS) / 1000;
    utimesSync(join(folder, 'images/parts/x/data'), recently, recently);
    expect(await unused()).not.toContain('images/parts/x');
  });
});
