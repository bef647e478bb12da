import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { debugfsInjections } from '../../../src/hypervisors/vcpu/kvm-debugfs.js';
import { testFolder } from '../../fixtures/folder.js';

const HOST = 'pid:[4026531836]';

/** KVM's folder with one guest a name. */
function kvm(guests: Readonly<Record<string, string>>): string {
  const root = testFolder();
  for (const [name, injections] of Object.entries(guests)) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'irq_injections'), injections);
  }
  return root;
}

it('sums what the guests of the process were given, and only those', async () => {
  const { pid } = process;
  const root = kvm({ [`${pid}-9`]: '40\n', [`${pid}-12`]: '2\n', '1-9': '1000\n' });
  expect(await debugfsInjections(pid, HOST, root)).toBe(42);
});

it('says nothing where nothing can be known', async () => {
  const { pid } = process;
  expect(await debugfsInjections(pid, HOST, kvm({ '1-9': '1000\n' }))).toBeUndefined();
  expect(await debugfsInjections(pid, HOST, kvm({ [`${pid}-9`]: 'x' }))).toBeUndefined();
  expect(await debugfsInjections(pid, HOST, join(kvm({}), 'none'))).toBeUndefined();
  // In a container the same number is another process.
  expect(await debugfsInjections(pid, 'pid:[4026532000]', kvm({ [`${pid}-9`]: '1\n' }))).toBeUndefined();
});
