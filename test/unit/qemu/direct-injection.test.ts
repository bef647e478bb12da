import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deliversDirectly } from '../../../src/hypervisors/vcpu/direct-injection.js';
import { testFolder } from '../../fixtures/folder.js';

it('a processor delivers interrupts by itself where one of the modules says so', async () => {
  const folder = testFolder();
  const parameter = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const missing = join(folder, 'none');
  expect(await deliversDirectly([missing, parameter('on', 'Y\n')])).toBe(true);
  expect(await deliversDirectly([parameter('one', '1\n'), missing])).toBe(true);
  expect(await deliversDirectly([parameter('off', 'N\n'), parameter('zero', '0\n'), missing])).toBe(false);
});
