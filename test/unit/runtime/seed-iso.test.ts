import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Deadline } from '../../../src/model/deadline.js';
import { makeSeed } from '../../../src/runtime/storage/seed-iso.js';
import { testFolder } from '../../fixtures/folder.js';

const DATA = {
  userData: '#cloud-config\nhostname: web\n',
  metaData: 'instance-id: one\n',
  networkConfig: 'version: 2\n',
};
const BIN = '/usr/bin';

/** A search path with only that program. */
function only(tool: string): string {
  const dir = testFolder();
  symlinkSync(join(BIN, tool), join(dir, tool));
  return dir;
}

const deadline = () => new Deadline('seed', { deadlineMs: 30_000 });

/** What the image has, as a program that did not make it reads it. */
function readBack(path: string): { label: string; files: Record<string, string> } {
  const out = testFolder();
  const said = execFileSync(
    'xorriso',
    ['-osirrox', 'on', '-indev', path, '-pvd_info', '-extract', '/', out],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const files = readdirSync(out).map((name) => [name, readFileSync(join(out, name), 'utf8')] as const);
  return { label: /Volume Id\s*:\s*(\S+)/.exec(said)?.[1] ?? '', files: Object.fromEntries(files) };
}

const WANTED = {
  label: 'cidata',
  files: { 'user-data': DATA.userData, 'meta-data': DATA.metaData, 'network-config': DATA.networkConfig },
};

describe.skipIf(!existsSync(join(BIN, 'xorriso')))('the cloud-init image (skipped without xorriso)', () => {
  it.for([
    'xorriso',
    'genisoimage',
  ])('made by %s has the three files under its label', async (tool, context) => {
    if (!existsSync(join(BIN, tool))) context.skip(`${tool} is not installed`);
    const path = join(testFolder(), 'seed.iso');
    expect(await makeSeed(path, DATA, deadline(), only(tool))).toBe('made');
    expect(readBack(path)).toEqual(WANTED);
    expect(readdirSync(join(path, '..')).toSorted()).toEqual(['seed.iso', 'seed.sha256']);
  });

  it('is kept until its data changes', async () => {
    const path = join(testFolder(), 'seed.iso');
    await makeSeed(path, DATA, deadline());
    const { ino } = statSync(path);
    expect(await makeSeed(path, DATA, deadline())).toBe('kept');
    expect(statSync(path).ino).toBe(ino);
    expect(await makeSeed(path, { ...DATA, metaData: 'instance-id: two\n' }, deadline())).toBe('made');
    expect(readBack(path).files['meta-data']).toBe('instance-id: two\n');
  });

  it('says what to install where no program can make it, and leaves nothing', async () => {
    const dir = testFolder();
    await expect(makeSeed(join(dir, 'seed.iso'), DATA, deadline(), testFolder())).rejects.toMatchObject({
      code: 'ERR_VMPULSE_STORAGE',
      message: expect.stringMatching(/none of xorriso, genisoimage, .* install the package xorriso/),
    });
    expect(readdirSync(dir)).toEqual([]);
  });
});
