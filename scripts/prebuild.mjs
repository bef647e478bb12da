// Copies the addons that were built here to where `npm pack` takes them from, and the loader finds them.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ADDONS, ROOT } from './lib/steps.mjs';

const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
const target = join(ROOT, 'prebuilds', `${process.platform}-${process.arch}-${libc}`);
mkdirSync(target, { recursive: true });
for (const [name, path] of Object.entries(ADDONS)) {
  if (!existsSync(path)) throw new Error(`${path} is not built; npm run build:native`);
  copyFileSync(path, join(target, `${name}.node`));
}
