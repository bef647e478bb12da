import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hostBootId, identify } from '../../../src/hypervisors/process.js';
import { folderLeftovers, removeLeftover } from '../../../src/lifecycle/leftovers.js';
import { removeDisks } from '../../../src/lifecycle/remove-disks.js';
import { vmSpec } from '../../fixtures/vm-spec.js';

function place() {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-left-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const folder = (part: string, vm: string) => {
    const path = join(dir, part, 'vms', vm);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const list = () => folderLeftovers(join(dir, 'state'), join(dir, 'run'), (vm) => vm === 'default/known');
  return { dir, folder, list };
}

describe('what is left over', () => {
  it('are folders of VMs that are not watched, and nothing else', async () => {
    const { folder, list } = place();
    const [run, state] = [folder('run', 'default/gone'), folder('state', 'default/gone')];
    folder('run', 'default/known');
    const known = folder('state', 'default/known');
    const found = await list();
    expect(found.map(({ kind, path }) => [kind, path])).toEqual([
      ['run-folder', run],
      ['vm-folder', state],
    ]);
    for (const each of found) await removeLeftover(each);
    expect([run, state, known].map((path) => existsSync(path))).toEqual([false, false, true]);
    expect(await list()).toEqual([]);
  });

  it('are not those of a VMM that runs, whatever is watched', async () => {
    const { folder, list } = place();
    const run = folder('run', 'default/runs');
    folder('state', 'default/runs');
    const record = {
      ...identify(process.pid),
      hostBootId: hostBootId(),
      argvDigest: 'x',
      machineDigest: 'x',
      startedAt: 1,
    };
    writeFileSync(join(run, 'vmm.pid'), JSON.stringify(record));
    expect(await list()).toEqual([]);
    writeFileSync(join(run, 'vmm.pid'), JSON.stringify({ ...record, startTimeTicks: 1 }));
    expect(await list()).toHaveLength(2);
  });
});

describe('disks', () => {
  it('are removed where they are files of this VM alone that it writes', async () => {
    const { dir } = place();
    const disk = (name: string, readOnly = false) => {
      const path = join(dir, name);
      writeFileSync(path, '');
      return { name, path, format: 'raw' as const, readOnly };
    };
    const [own, shared, read] = [disk('own'), disk('shared'), disk('read', true)];
    const gone = { name: 'gone', path: join(dir, 'gone'), format: 'raw' as const, readOnly: false };
    const { hypervisor } = vmSpec('web');
    const vm = vmSpec('web', { hypervisor: { ...hypervisor, disks: [own, shared, read, gone] } });
    const other = vmSpec('other', { hypervisor: { ...hypervisor, disks: [shared] } });
    expect(await removeDisks(vm, [vm, other])).toEqual([own.path]);
    expect([own, shared, read].map(({ path }) => existsSync(path))).toEqual([false, true, true]);
  });
});
