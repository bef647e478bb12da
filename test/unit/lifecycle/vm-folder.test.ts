import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cloudHypervisorPaths } from '../../../src/hypervisors/cloud-hypervisor/cloud-hypervisor-vm.js';
import { firecrackerPaths } from '../../../src/hypervisors/firecracker/firecracker-vm.js';
import { qemuPaths } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { VmFolder } from '../../../src/lifecycle/vm-folder.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { testFolder } from '../../fixtures/folder.js';
import { testVm } from '../qemu/fixtures.js';

function setUp() {
  const folder = testFolder();
  const runDir = join(folder, 'run');
  const own = new VmFolder(join(folder, 'state'), runDir, 'default/web-1');
  const of = (changes: object) => {
    const vm = testVm();
    return { ...vm, hypervisor: { ...vm.hypervisor, ...changes } } as VmSpec;
  };
  return { own, runDir, of };
}

describe('the folder of a VM', () => {
  it.each([
    ['qemu', qemuPaths],
    ['cloud-hypervisor', cloudHypervisorPaths],
    ['firecracker', firecrackerPaths],
  ] as const)('leads to where the VMM of %s listens and writes', async (driver, pathsOf) => {
    const { own, runDir, of } = setUp();
    const vm = of({ driver });
    await own.prepare(vm);
    const { monitorSocket, consoleLog, vmmLog } = pathsOf(runDir, vm as never);
    expect(readlinkSync(join(own.path, 'api.sock'))).toBe(monitorSocket);
    expect(readlinkSync(join(own.path, 'console.log'))).toBe(consoleLog);
    expect(readlinkSync(join(own.path, 'stdout.log'))).toBe(vmmLog);
  });

  it('leads elsewhere once the VM has another driver, and nowhere when it was adopted', async () => {
    const { own, runDir, of } = setUp();
    await own.prepare(of({}));
    await own.prepare(of({ driver: 'firecracker' }));
    expect(readlinkSync(join(own.path, 'api.sock'))).toBe(join(runDir, 'vms/default/web-1/fc.sock'));
    await own.prepare(of({ driver: 'libvirt' }));
    expect(readdirSync(own.path).toSorted()).toEqual(['console.log']);
    expect(lstatSync(join(own.path, 'console.log')).isSymbolicLink()).toBe(true);
    await own.prepare(of({ adopt: { qmpSocket: '/x' } }));
    expect(readdirSync(own.path)).toEqual([]);
  });
});
