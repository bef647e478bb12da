import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { addonPath, TemporaryFolder } from './support.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TOOLS = ['python3', 'make', 'c++'];

/** Names that a build exports, with the members of its classes. */
function exportedNames(path: string): Record<string, string[]> {
  const addon: object = createRequire(import.meta.url)(path);
  return Object.fromEntries(
    Object.entries(addon).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'function' ? Object.getOwnPropertyNames(value.prototype ?? {}).sort() : [typeof value],
    ]),
  );
}

it('node-gyp builds the same addon, and downloads nothing', { timeout: 300_000 }, (ctx) => {
  const missing = TOOLS.filter((tool) => spawnSync(tool, ['--version']).status !== 0);
  if (missing.length > 0) ctx.skip(`node-gyp needs ${missing.join(', ')}`);
  const prefix = dirname(dirname(process.execPath));
  const headers = spawnSync('test', ['-e', `${prefix}/include/node/node_api.h`]).status === 0;
  if (!headers) ctx.skip(`this Node comes without headers in ${prefix}/include`);

  using folder = new TemporaryFolder();
  for (const name of ['binding.gyp', 'package.json', 'native/kernel']) {
    cpSync(ROOT + name, folder.file(name), { recursive: true });
  }
  symlinkSync(`${ROOT}node_modules`, folder.file('node_modules'));
  const nowhere = 'http://127.0.0.1:9';
  const built = spawnSync(
    process.execPath,
    [`${ROOT}node_modules/node-gyp/bin/node-gyp.js`, 'rebuild', `--nodedir=${prefix}`],
    {
      cwd: folder.path,
      encoding: 'utf8',
      timeout: 280_000,
      env: { ...process.env, npm_config_disturl: nowhere, http_proxy: nowhere, https_proxy: nowhere },
    },
  );
  expect(built.status, built.stderr.slice(-4000)).toBe(0);
  const names = exportedNames(folder.file('build/Release/kernel.node'));
  expect(names).toEqual(exportedNames(addonPath()));
  expect(names.Pidfd).toEqual(['close', 'closed', 'constructor', 'fd', 'signal']);
});

it('sources.json lists every source file once', () => {
  const lists: Record<string, string[]> = JSON.parse(
    readFileSync(`${ROOT}native/kernel/sources.json`, 'utf8'),
  );
  const listed = Object.values(lists).flat();
  const found = spawnSync('find', ['core', 'addon', '-name', '*.cpp'], {
    cwd: `${ROOT}native/kernel`,
    encoding: 'utf8',
  });
  expect(listed.length).toBeGreaterThan(10);
  expect(listed.toSorted()).toEqual(found.stdout.trim().split('\n').sort());
});
