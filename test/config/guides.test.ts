import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compile, daemonConfig } from './compile.js';

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

it('what the quickstart writes is valid: one VM, and configurations with and without recovery', () => {
  const text = readFileSync(new URL('../../docs/guides/quickstart.md', import.meta.url), 'utf8');
  const [vm = '', ...configs] = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, each = '']) => each);
  const { vms, warnings } = compile(vm);
  expect(warnings).toEqual([]);
  expect(vms.map(({ id }) => id)).toEqual(['default/web-1']);
  expect(configs.map((config) => daemonConfig(config).recovery.enabled)).toEqual([false, true]);
});
