import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the package, where `import 'vmpulse'` means the package itself. */
const BUILD = join(ROOT, 'build');
const MINUTE = 60_000;

const page = readFileSync(join(ROOT, 'docs/guides/embedding.md'), 'utf8');
const programs = [...page.matchAll(/^## (.+?)\n.*?^```ts\n(.*?)^```/gms)].map(
  ([, title = '', text = '']) => ({
    title,
    text,
  }),
);

/** What each prints. */
const OUTPUT: Readonly<Record<string, string>> = {
  'Only the probes': 'unknown → ok \nok → failed connection-refused\n',
  Everything: '0 VMs, held: we deploy\n',
  'Only the decisions':
    'health: unknown → stopped\nact: start (attempt 1) for vmm-dead (process-gone)\nhealth: stopped → starting\n',
  Errors: 'ERR_VMPULSE_CONFIG\n',
};

let folder: string;

beforeAll(() => {
  mkdirSync(BUILD, { recursive: true });
  folder = mkdtempSync(join(BUILD, 'guide-'));
  programs.forEach(({ text }, i) => {
    writeFileSync(join(folder, `${i}.ts`), text);
  });
  const config = {
    extends: '../../examples/tsconfig.json',
    compilerOptions: { rootDir: '.', outDir: '.' },
    include: ['*.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder];
  // What it objects to is on stdout.
  execFileSync(process.execPath, tsc, { stdio: ['ignore', 2, 2] });
}, 3 * MINUTE);

afterAll(() => rmSync(folder, { recursive: true }));

it('the guide has a program for each of its parts', () => {
  expect(programs.map(({ title }) => title)).toEqual(Object.keys(OUTPUT));
});

it.each(programs.map(({ title }, i) => [title, i] as const))(
  '%s',
  { timeout: 2 * MINUTE },
  async (title, i) => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, `${i}.js`)], {
      timeout: MINUTE,
    });
    expect(stdout).toBe(OUTPUT[title]);
  },
);
