import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type AddonSearch, loadAddon } from '../../src/addon/load-addon.js';
import { loadKernel } from '../../src/kernel/loader.js';
import { TemporaryFolder, thrownBy } from './kernel/support.js';

const LOCAL = ['build-cmake/Release/demo.node', 'build/Release/demo.node'] as const;
const PREBUILT = new RegExp(`prebuilds/linux-${process.arch}-(glibc|musl)/demo\\.node`);

function search(folder: TemporaryFolder, rest: Partial<AddonSearch> = {}): AddonSearch {
  return {
    name: 'demo',
    root: pathToFileURL(`${folder.path}/`),
    localBuilds: LOCAL,
    load: (path) => path,
    ...rest,
  };
}

function write(path: string, modifiedSeconds: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'no addon');
  utimesSync(path, modifiedSeconds, modifiedSeconds);
}

/** The path of the prebuilt file, as the error of an empty folder names it. */
function prebuiltPath(folder: TemporaryFolder): string {
  const path = /\S*prebuilds\S*\.node/.exec(String(thrownBy(() => loadAddon(search(folder)))))?.[0];
  if (path === undefined) throw new Error('no prebuilt file was tried');
  return path;
}

describe('loadAddon', () => {
  it('takes the freshest local build', () => {
    using folder = new TemporaryFolder();
    const cmake = folder.file(LOCAL[0]);
    const gyp = folder.file(LOCAL[1]);
    write(cmake, 1000);
    write(gyp, 2000);
    expect(loadAddon(search(folder)).path).toBe(gyp);
    write(cmake, 3000);
    expect(loadAddon(search(folder))).toEqual({ path: cmake, exports: cmake });
  });

  it('falls back to the prebuilt file, also from a build that does not load', () => {
    using folder = new TemporaryFolder();
    const prebuilt = prebuiltPath(folder);
    expect(prebuilt).toMatch(PREBUILT);
    write(prebuilt, 1000);
    expect(loadAddon(search(folder)).path).toBe(prebuilt);
    write(folder.file(LOCAL[0]), 2000);
    const load = (path: string) => {
      if (path !== prebuilt) throw new Error('broken');
      return 'addon';
    };
    expect(loadAddon(search(folder, { load }))).toEqual({ path: prebuilt, exports: 'addon' });
  });

  it('names every path and why it failed', () => {
    using folder = new TemporaryFolder();
    write(folder.file(LOCAL[1]), 1000);
    const error = thrownBy(() => loadAddon(search(folder, { load: createRequire(import.meta.url) })));
    expect(error).toMatchObject({
      code: 'ERR_VMPULSE_NATIVE',
      details: {
        tried: [
          expect.stringMatching(/build\/Release\/demo\.node: .*(file too short|invalid ELF header)/),
          `${folder.file(LOCAL[0])}: no such file`,
          expect.stringMatching(PREBUILT),
        ],
      },
    });
    expect(String(error)).toContain('npm run build:native');
  });

  it("tries nothing but the caller's path", () => {
    using folder = new TemporaryFolder();
    write(folder.file(LOCAL[0]), 1000);
    const path = folder.file('mine.node');
    expect(thrownBy(() => loadAddon(search(folder, { path })))).toMatchObject({
      code: 'ERR_VMPULSE_NATIVE',
      details: { tried: [`${path}: no such file`] },
    });
    write(path, 1);
    expect(loadAddon(search(folder, { path })).path).toBe(path);
  });
});

describe('loadKernel', () => {
  it('keeps to one file a thread', () => {
    const { path } = loadKernel();
    expect(loadKernel({ path })).toEqual({ path });
    expect(thrownBy(() => loadKernel({ path: '/elsewhere/kernel.node' }))).toMatchObject({
      code: 'ERR_VMPULSE_NATIVE',
      message: expect.stringContaining(path),
    });
  });
});
