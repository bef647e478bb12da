import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from './in-process.js';

it('simulate --verbose tells stories beside JSON, not in it', { timeout: 120_000 }, async () => {
  const policy = join(testFolder(), 'config.yaml');
  // Nothing helps a VM whose VMM is gone: that is missed.
  writeFileSync(policy, 'recovery: {enabled: true, skip: [start, recreate, power-cycle]}\n');
  const args = ['simulate', '--policy', policy, '--vms', '2', '--hosts', '1', '--days', '1', '--seeds', '1'];
  const { status, stdout, stderr } = await runCommandLine([...args, '--verbose', '--json']);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ seeds: 1, failed: [{ seed: 1 }] });
  expect(stderr).toMatch(/^seed 1, sim\/vm-\d/m);
});
