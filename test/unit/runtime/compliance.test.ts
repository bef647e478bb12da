import { describe, expect, it } from 'vitest';
import { differingPaths } from '../../../src/model/machine.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { buildVmView } from '../../../src/runtime/view-builder.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const web = vmSpec('web');

function viewOf({ supervisor }: Harness, vm: VmSpec) {
  const unit = supervisor.units.get(vm.id);
  if (!unit) throw new Error(`${vm.id} is not watched`);
  return buildVmView(supervisor, unit);
}

describe('differingPaths', () => {
  it('names what differs, in lists and mappings, also where one has it only', () => {
    const a = { uuid: 'x', disks: [{ path: '/a' }, { path: '/b' }], cpu: 'host', same: [1] };
    const b = { uuid: 'x', disks: [{ path: '/a' }], cpu: 'max', kernel: {}, same: [1] };
    expect(differingPaths(a, b)).toEqual(['cpu', 'disks[1]', 'kernel']);
    expect(differingPaths(a, structuredClone(a))).toEqual([]);
    expect(differingPaths({ a: { b: null } }, { a: { b: {} } })).toEqual(['a.b']);
  });
});

describe('compliance', () => {
  it('is there while what runs is what the documents say', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    expect(viewOf(h, web)).toMatchObject({
      compliance: { compliant: true, drift: [] },
      customizations: [],
      mode: { kind: 'managed' },
    });
  });

  it('is lost with a machine that was started otherwise, until a restart', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const hypervisor = { ...web.hypervisor, memoryMiB: 256, extraArgs: ['-nodefaults'] };
    await h.supervisor.apply([{ ...web, hypervisor, machineDigest: 'digest-2' }]);
    const view = viewOf(h, web);
    expect(view.compliance).toEqual({
      compliant: false,
      drift: ['hypervisor.extraArgs[0]', 'hypervisor.memoryMiB'],
    });
    expect(view.restartRequired).toBe(true);
  });

  it('is lost where the run strategy is not followed', async () => {
    const h = new Harness();
    const halted = vmSpec('halted', { runStrategy: 'Halted' });
    const manual = vmSpec('manual', { runStrategy: 'Manual' });
    const off = vmSpec('off', { recovery: { ...web.recovery, enabled: false } });
    h.driver.boot(halted);
    await h.supervisor.start([halted, manual, off]);
    expect(viewOf(h, halted).compliance.drift).toEqual(['runStrategy']);
    expect(viewOf(h, off).compliance.drift).toEqual(['runStrategy']);
    expect(viewOf(h, manual).compliance.compliant).toBe(true);
  });

  it('is lost with a probe that could not be registered', async () => {
    const h = new Harness();
    const [first] = web.probes;
    if (!first) throw new Error('no probe');
    const vm = { ...web, probes: [...web.probes, { ...first, name: 'mine', check: CUSTOM }] };
    await h.startHealthy({ ...vm, probes: web.probes });
    await h.supervisor.apply([vm]);
    expect(viewOf(h, vm).compliance.drift).toEqual(['probes.mine']);
  });

  it('does not mind what an annotation leaves to others', async () => {
    const h = new Harness();
    const ignoredFields = ['hypervisor.extraArgs', 'runStrategy'];
    const vm = { ...web, ignoredFields };
    await h.startHealthy(vm);
    const hypervisor = { ...vm.hypervisor, extraArgs: ['-nodefaults'] };
    await h.supervisor.apply([{ ...vm, hypervisor, runStrategy: 'Halted', machineDigest: 'digest-2' }]);
    const { compliance, restartRequired, customizations } = viewOf(h, vm);
    expect({ compliance, restartRequired, customizations }).toEqual({
      compliance: { compliant: true, drift: [] },
      restartRequired: false,
      customizations: ['ignore-fields'],
    });
  });

  it('shows the annotation that pauses a VM', async () => {
    const h = new Harness();
    const paused = {
      ...web,
      mode: { kind: 'paused', reason: 'vmpulse.dev/reconcile-paused: moved' },
    } as const;
    await h.startHealthy(paused);
    expect(viewOf(h, paused)).toMatchObject({
      mode: { kind: 'paused', reason: 'vmpulse.dev/reconcile-paused: moved' },
      customizations: ['reconcile-paused'],
      note: 'paused: vmpulse.dev/reconcile-paused: moved',
    });
  });
});

describe('an annotation that forces a reconciliation', () => {
  it('looks for the VMM at once, once for each value', async () => {
    const h = new Harness();
    const off = vmSpec('off', { runStrategy: 'Manual' });
    await h.supervisor.start([off]);
    const looks = () => h.driver.calls.filter((call) => call === 'look test/off').length;
    const before = looks();
    await h.supervisor.apply([{ ...off, forceReconcile: '1' }]);
    expect(looks()).toBe(before + 1);
    await h.supervisor.apply([{ ...off, forceReconcile: '1', labels: { app: 'x' } }]);
    expect(looks()).toBe(before + 1);
  });
});

/** Of a kind that the harness does not have. */
const CUSTOM = { kind: 'custom', probe: 'nobody-has-it', options: {} } as const;
