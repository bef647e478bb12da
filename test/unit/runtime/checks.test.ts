import { describe, expect, it, onTestFinished } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import type { VmId } from '../../../src/model/vm.js';
import { Checks } from '../../../src/runtime/checks.js';
import { buildVmView } from '../../../src/runtime/view-builder.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

function checksOf({ supervisor }: Harness): Checks {
  const unitOf = (vm: VmId) => {
    const unit = supervisor.units.get(vm);
    if (unit) return unit;
    throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM ${vm} is watched`);
  };
  return new Checks(unitOf, (vm) => buildVmView(supervisor, unitOf(vm)).probes);
}

const custom = probeSpec('own', 'check', { kind: 'custom', probe: 'mine', options: {} });
const off = { ...probeSpec('off', 'check', { kind: 'tcpSocket', port: 22 }), enabled: false };
const secret = probeSpec('page', 'check', {
  kind: 'httpGet',
  http: {
    scheme: 'http',
    port: 81,
    path: '/status?token=s3cret',
    headers: [['Authorization', 'Bearer s3cret']],
  },
});

async function started(running: boolean) {
  const vm = vmSpec('web', { runStrategy: 'Manual', probes: [...vmSpec('web').probes, custom, off, secret] });
  const harness = new Harness({
    probes: {
      mine: async () => ({ result: 'failed', reason: 'disk' }),
    },
  });
  onTestFinished(() => harness.supervisor.close());
  if (running) await harness.startHealthy(vm);
  else await harness.supervisor.start([vm]);
  return { vm, harness, checks: checksOf(harness) };
}

describe('probes of a VM', () => {
  it('are listed as they are set and as they stand, without secrets', async () => {
    const { vm, checks } = await started(true);
    const list = checks.list(vm.id);
    expect(list.map(({ name }) => name)).toEqual(vm.probes.map(({ name }) => name));
    expect(list.find(({ name }) => name === 'readiness')).toMatchObject({
      kind: 'httpGet',
      enabled: true,
      state: 'ok',
      target: { host: null, port: 8080, path: '/healthz' },
      timing: { periodMs: 10_000 },
    });
    expect(list.find(({ name }) => name === 'off')).toMatchObject({ enabled: false, state: 'unknown' });
    expect(JSON.stringify(list)).not.toContain('s3cret');
  });

  it('are asked at once, beside their schedule: their states stay', async () => {
    const { vm, harness, checks } = await started(true);
    harness.engine.answers.set(`${vm.id}/readiness`, { result: 'failed', reason: 'connection-refused' });
    const [results, same] = await Promise.all([checks.now(vm.id), checks.now(vm.id)]);
    expect(same).toBe(results);
    const outcomes = Object.fromEntries(results.map(({ name, outcome }) => [name, outcome]));
    expect(outcomes).toMatchObject({
      readiness: { result: 'failed', reason: 'connection-refused' },
      liveness: { result: 'ok' },
      own: { result: 'failed', reason: 'disk' },
    });
    expect(outcomes).not.toHaveProperty('off');
    expect(checks.list(vm.id).find(({ name }) => name === 'readiness')?.state).toBe('ok');
    expect(harness.steps()).toEqual([]);
  });

  it('cannot be told of a VM that does not run, nor of one that nobody knows', async () => {
    const { vm, checks } = await started(false);
    const results = await checks.now(vm.id);
    expect(results).toHaveLength(vm.probes.length - 1);
    for (const { outcome, details } of results) {
      expect(outcome).toEqual({ result: 'inconclusive', reason: 'suspended' });
      expect(details).toEqual({ message: 'the VM does not run' });
    }
    expect(() => checks.now('test/nobody')).toThrow(/no VM test\/nobody/);
  });
});
