import { execFileSync } from 'node:child_process';
import { chownSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { takeFolderBack } from '../../../src/hypervisors/vmm/lent-folder.js';
import { newRecord, readRecord, writeRecord } from '../../../src/hypervisors/vmm/record.js';
import { testFolder } from '../../fixtures/folder.js';
import { testVm } from './fixtures.js';

const NOBODY = 65_534;

function setUp() {
  const folder = testFolder();
  const path = join(folder, 'vmm.pid');
  const record = newRecord({ pid: 7, startTimeTicks: 1 }, [], testVm(), 1, '-name');
  return { folder, path, record };
}

describe('what the user of a VMM may have left in its folder', () => {
  it('is no pipe that is waited for in place of the record', async () => {
    const { path } = setUp();
    execFileSync('sh', ['-c', `mkfifo ${path}`]);
    expect(await readRecord(path)).toBeUndefined();
  });

  it('is no link to the record of another VM', async () => {
    const { folder, path, record } = setUp();
    await writeRecord(join(folder, 'another'), record);
    symlinkSync(join(folder, 'another'), path);
    expect(await readRecord(path)).toBeUndefined();
  });

  it('is no record of its own, nor an endless one', async (context) => {
    const { path, record } = setUp();
    await writeRecord(path, record);
    expect(await readRecord(path)).toEqual(record);
    writeFileSync(path, `${JSON.stringify(record)}${' '.repeat(1024 * 1024)}`);
    expect(await readRecord(path)).toBeUndefined();
    if (process.getuid?.() !== 0) context.skip('only root gives files away');
    await writeRecord(path, record);
    chownSync(path, NOBODY, NOBODY);
    expect(await readRecord(path)).toBeUndefined();
  });

  it('is no link to the monitor of another VM once the folder is taken back', async () => {
    const { folder } = setUp();
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other/qmp.sock'), '');
    mkdirSync(join(folder, 'own'));
    symlinkSync('../other/qmp.sock', join(folder, 'own/qmp.sock'));
    writeFileSync(join(folder, 'own/vmm.log'), '');
    await takeFolderBack(join(folder, 'own'));
    expect(readdirSync(join(folder, 'own'))).toEqual(['vmm.log']);
    expect(readdirSync(join(folder, 'other'))).toEqual(['qmp.sock']);
    expect(lstatSync(join(folder, 'own')).mode & 0o777).toBe(0o710);
  });
});
