import { existsSync, linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { removeDisks } from '../../../src/lifecycle/remove-disks.js';
import type { DiskSpec } from '../../../src/model/hypervisor.js';
import { testFolder } from '../../fixtures/folder.js';
import { testVm } from '../qemu/fixtures.js';

function bench() {
  const folder = testFolder();
  const disk = (name: string, more: Partial<DiskSpec> = {}): DiskSpec => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'x');
    return { name, path, format: 'qcow2', readOnly: false, ...more };
  };
  const vmWith = (id: string, disks: readonly DiskSpec[]) => testVm({ disks }, { id });
  return { folder, disk, vmWith };
}

describe('disks of a VM that are removed', () => {
  it('take the folder that vmpulse made for them along, and no other', async () => {
    const { folder, disk, vmWith } = bench();
    const overlay = { image: 'debian' };
    const own = [disk('disks/a/root.qcow2', { overlay }), disk('disks/a/data.qcow2', { overlay })];
    const given = disk('given/one.qcow2');
    const vm = vmWith('default/a', [...own, given]);
    expect(await removeDisks(vm, [vm])).toEqual([...own, given].map(({ path }) => path));
    expect(existsSync(join(folder, 'disks/a'))).toBe(false);
    expect(readdirSync(join(folder, 'given'))).toEqual([]);
    const kept = disk('disks/b/root.qcow2', { overlay });
    writeFileSync(join(folder, 'disks/b/notes'), '');
    const other = vmWith('default/b', [kept]);
    await removeDisks(other, [other]);
    expect(readdirSync(join(folder, 'disks/b'))).toEqual(['notes']);
  });

  it('are none that are only read, that another VM names, or that are links', async () => {
    const { folder, disk, vmWith } = bench();
    const shared = disk('shared.qcow2');
    const readOnly = disk('iso', { readOnly: true });
    const target = disk('target');
    const link = { ...target, name: 'link', path: join(folder, 'link') };
    symlinkSync(target.path, link.path);
    linkSync(target.path, join(folder, 'second-name'));
    const gone = { ...target, name: 'gone', path: join(folder, 'gone') };
    const vm = vmWith('default/a', [shared, readOnly, link, gone]);
    expect(await removeDisks(vm, [vm, vmWith('default/b', [shared])])).toEqual([]);
    expect(readdirSync(folder).toSorted()).toEqual(['iso', 'link', 'second-name', 'shared.qcow2', 'target']);
  });
});
