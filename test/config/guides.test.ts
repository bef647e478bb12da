import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile } from './compile.js';

it.each([
  ['qemu', 'qemu'],
  ['cloud-hypervisor', 'cloud-hypervisor'],
  ['firecracker', 'firecracker'],
])('the example of docs/guides/%s.md is a VM of that hypervisor, without a warning', (page, driver) => {
  const text = readFileSync(new URL(`../../docs/guides/${page}.md`, import.meta.url), 'utf8');
  const examples = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, example = '']) => example);
  expect(examples).toHaveLength(1);
  const { vms, warnings } = compile(...examples);
  expect(warnings).toEqual([]);
  expect(vms.map(({ hypervisor }) => hypervisor.driver)).toEqual([driver]);
});
