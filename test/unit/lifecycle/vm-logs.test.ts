import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLog } from '../../../src/lifecycle/vm-logs.js';
import { testFolder } from '../../fixtures/folder.js';

function log(text: string | Buffer): string {
  const path = join(testFolder(), 'console.log');
  writeFileSync(path, text);
  return path;
}

describe('the last lines of a log', () => {
  it.each([
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nlogin: ', 2, 'b\nlogin: '],
    ['a\nb\n', 5, 'a\nb\n'],
    ['\n\n', 1, '\n'],
    ['one', 1, 'one'],
    ['a\nb\n', 0, ''],
    ['', 3, ''],
  ])('of %j, %i of them, are %j', async (text, lines, expected) => {
    const part = await readLog(log(text), { lines });
    expect(part).toMatchObject({ text: expected, next: Buffer.byteLength(text) });
  });

  it('of a long log are looked for in its last MiB', async () => {
    const { text } = await readLog(log(`${'x'.repeat(3 * 1024 * 1024)}\nend\n`), { lines: 2 });
    expect(text.length).toBe(1024 * 1024);
    expect(text.endsWith('x\nend\n')).toBe(true);
  });

  it('are none where there is no log, or no file', async () => {
    const dir = testFolder();
    const nothing = { text: '', file: null, next: 0 };
    expect(await readLog(join(dir, 'none'), { lines: 3 })).toEqual(nothing);
    mkdirSync(join(dir, 'folder'));
    expect(await readLog(join(dir, 'folder'), { lines: 3 })).toEqual(nothing);
  });

  it('are read through the link of the folder, and through none that stands in place of the log', async () => {
    const dir = testFolder();
    const [link, target, secret] = ['link', 'console.log', 'shadow'].map((name) => join(dir, name));
    if (link === undefined || target === undefined || secret === undefined) throw new Error('no paths');
    writeFileSync(secret, 'root:$6$secret\n');
    writeFileSync(target, 'boot\n');
    symlinkSync(target, link);
    expect(await readLog(link, { lines: 3 })).toMatchObject({ text: 'boot\n' });
    renameSync(target, `${target}.1`);
    symlinkSync(secret, target);
    expect(await readLog(link, { lines: 3 })).toEqual({ text: '', file: null, next: 0 });
  });
});

describe('what came since', () => {
  it('begins where the former part ended, and waits for the rest of a character', async () => {
    const path = log('one\n');
    const { file, next } = await readLog(path, { lines: 1 });
    const since = (after: number) => readLog(path, { file: file ?? '', after });
    expect(await since(next)).toEqual({ text: '', file, next: 4 });
    const euro = Buffer.from('€');
    appendFileSync(path, Buffer.concat([Buffer.from('two '), euro.subarray(0, 2)]));
    expect(await since(next)).toEqual({ text: 'two ', file, next: 8 });
    appendFileSync(path, Buffer.concat([euro.subarray(2), Buffer.from('\n')]));
    expect(await since(8)).toEqual({ text: '€\n', file, next: 12 });
  });

  it('is all of another log, and of one that was cut', async () => {
    const path = log('former, and longer\n');
    const { file, next } = await readLog(path, { lines: 1 });
    writeFileSync(path, 'cut\n');
    expect(await readLog(path, { file: file ?? '', after: next })).toMatchObject({ text: 'cut\n' });
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'a new one that is longer than before\n');
    const after = await readLog(path, { file: file ?? '', after: next });
    expect(after.text).toBe('a new one that is longer than before\n');
    expect(after.file).not.toBe(file);
  });

  it('of what is no UTF-8 comes through', async () => {
    const path = log(Buffer.from([0xff, 0x80, 0x80, 0x80, 0x80, 0x0a]));
    expect((await readLog(path, { lines: 1 })).text).toContain('\ufffd');
  });
});
