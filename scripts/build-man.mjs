// Writes the manual pages of what is built here to build/man: vmpulse.1, vmpulse-vm.1 …
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { manPagesOf } from './lib/built-man-pages.mjs';
import { ROOT } from './lib/steps.mjs';

const OUT = join(ROOT, 'build', 'man');

const pages = await manPagesOf(ROOT);
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
for (const [name, text] of pages) writeFileSync(join(OUT, name), text);
console.log(`${pages.size} pages in ${relative(process.cwd(), OUT)}`);
