import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { processesNaming } from '../../demo/processes.mjs';
import { labAvailable } from '../../lab/vm.mjs';

const START = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url));
const lab = labAvailable();
const dir = mkdtempSync(join(tmpdir(), 'vmpulse-test-'));

const resultsSchema = z.object({
  seed: z.number(),
  results: z.array(
    z.object({ fault: z.string(), diagnosis: z.string(), remedy: z.string(), healed: z.boolean() }),
  ),
});

afterAll(() => rmSync(dir, { recursive: true }));

describe.skipIf(!lab.ok)(`demonstration${lab.ok ? '' : ` (skipped: ${lab.reason})`}`, () => {
  it('heals five of five and leaves nothing behind', { timeout: 600_000 }, () => {
    const json = join(dir, 'results.json');
    const run = spawnSync(process.execPath, [START, '--script', '--seed', '11', '--json', json], {
      encoding: 'utf8',
    });
    expect(run.status, run.stdout + run.stderr).toBe(0);
    const { seed, results } = resultsSchema.parse(JSON.parse(readFileSync(json, 'utf8')));
    expect(seed).toBe(11);
    expect(results.map(({ healed }) => healed)).toEqual([true, true, true, true, true]);
    expect(new Set(results.map(({ fault }) => fault)).size).toBe(5);
    expect(new Set(results.map(({ remedy }) => remedy))).toEqual(
      new Set(['restart-service', 'reset', 'start', 'continue-process']),
    );
    const world = /socket (\S+)\/run\/vmpulse\.sock/.exec(run.stdout)?.[1] ?? '';
    expect(world).toMatch(/vmpulse-demo-/);
    expect(existsSync(world)).toBe(false);
    expect(processesNaming(world)).toEqual([]);
  });

  it('refuses a seed that is none', () => {
    const run = spawnSync(process.execPath, [START, '--script', '--seed', 'x'], { encoding: 'utf8' });
    expect(run.status).toBe(64);
    expect(run.stderr).toContain('--seed x');
  });
});
