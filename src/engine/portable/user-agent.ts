import { readFileSync } from 'node:fs';
import { z } from 'zod';

const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

/** `User-Agent` of every HTTP probe that does not set its own. */
export const USER_AGENT = `vmpulse/${z.object({ version: z.string() }).parse(manifest).version}`;
