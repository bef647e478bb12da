// Writes what the commands print with --json as JSON Schema, from what is built: dist/cli/schemas/vm-list.json … Part of the build.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './lib/steps.mjs';

const OUT = join(ROOT, 'dist/cli/schemas');

const { commandJsonSchemas } = await import(pathToFileURL(join(ROOT, 'dist/cli/command-schemas.js')).href);
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
for (const [command, schema] of commandJsonSchemas())
  writeFileSync(join(OUT, `${command.replaceAll(' ', '-')}.json`), `${JSON.stringify(schema, null, 2)}\n`);
