import { createServer, type Server } from 'node:http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import { systemClock } from '../../../src/model/clock.js';
import type { CloudHypervisorSpec } from '../../../src/model/hypervisors/cloud-hypervisor.js';
import type { ProbeCheck, ProbeSpec, ProbeTiming } from '../../../src/model/probe.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { applySpecs } from '../../../src/runtime/apply-specs.js';
import type { VmUnit } from '../../../src/runtime/vm-unit.js';
import { settle } from '../../fakes/manual-clock.js';
import { RecordingDriver } from '../../fakes/recording-driver.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { testVm } from '../qemu/fixtures.js';
import { Harness } from './harness.js';

const web = vmSpec('web');
const PATIENCE = { timeout: 20_000, interval: 20 };

/** The VM with one probe changed. */
function changed(vm: VmSpec, name: string, change: (probe: ProbeSpec) => Partial<ProbeSpec>): VmSpec {
  return {
    ...vm,
    probes: vm.probes.map((probe) => (probe.name === name ? { ...probe, ...change(probe) } : probe)),
  };
}

const timed = (timing: Partial<ProbeTiming>) => (probe: ProbeSpec) => ({
  timing: { ...probe.timing, ...timing },
});
const http = (port: number, path = '/'): ProbeCheck => ({
  kind: 'httpGet',
  http: { scheme: 'http', port, path, headers: [] },
});

describe('a set of VMs of which one cannot be taken', () => {
  it('leaves those that there were, as they were', async () => {
    const specs = new Map<string, VmSpec>();
    const inventory = {
      get units() {
        return new Map([...specs].map(([id, spec]) => [id, { spec, restartRequired: false } as VmUnit]));
      },
      watch: async (spec: VmSpec) => {
        if (spec.name === 'bad') throw new Error('the engine is full');
        specs.set(spec.id, spec);
      },
      unwatch: async (id: string) => void specs.delete(id),
      reconfigure: async (_unit: VmUnit, spec: VmSpec) => void specs.set(spec.id, spec),
    };
    const [a, b] = [vmSpec('a'), vmSpec('b')];
    const forgotten: string[] = [];
    const apply = (...vms: readonly VmSpec[]) => applySpecs(inventory, vms, (vm) => forgotten.push(vm));
    expect(await apply(a, b)).toMatchObject({ added: [a.id, b.id] });
    const next = [{ ...a, labels: { tier: 'db' } }, vmSpec('c'), vmSpec('bad')];
    await expect(apply(...next)).rejects.toThrow('the engine is full');
    expect([...specs.values()].toSorted((one, other) => (one.id < other.id ? -1 : 1))).toEqual([a, b]);
    expect(forgotten).toEqual([b.id, vmSpec('c').id]);
  });
});

describe('a VM that is configured anew', () => {
  const beat = { ...web, probes: [...web.probes, probeSpec('beat', 'liveness', { kind: 'heartbeat' })] };
  const ROWS: readonly (readonly [string, string, VmSpec, 'ok' | 'failed' | 'unknown'])[] = [
    ['its labels', 'readiness', { ...beat, labels: { tier: 'db' } }, 'ok'],
    ['its memory', 'readiness', { ...beat, hypervisor: { ...beat.hypervisor, vcpus: 2 } }, 'ok'],
    ['the period', 'readiness', changed(beat, 'readiness', timed({ periodMs: 5_000 })), 'ok'],
    ['the threshold', 'readiness', changed(beat, 'readiness', timed({ failureThreshold: 9 })), 'ok'],
    ['the weight', 'readiness', changed(beat, 'readiness', () => ({ weight: 3 })), 'ok'],
    ['the port', 'readiness', changed(beat, 'readiness', () => ({ check: http(81) })), 'failed'],
    ['the role', 'agent', changed(beat, 'agent', () => ({ role: 'readiness' })), 'failed'],
    ['the address of the VM', 'agent', { ...beat, address: '127.0.0.2' }, 'unknown'],
    ['another probe', 'agent', changed(beat, 'readiness', () => ({ check: http(81) })), 'ok'],
    ['the threshold of a heartbeat', 'beat', changed(beat, 'beat', timed({ failureThreshold: 9 })), 'failed'],
    ['the period of a heartbeat', 'beat', changed(beat, 'beat', timed({ periodMs: 5_000 })), 'ok'],
  ];

  it.each(
    ROWS,
  )('has probes counted on unless they ask something else: %s', async (_what, probe, next, state) => {
    const h = new Harness();
    await h.startHealthy(beat);
    h.engine.transition('test/web/beat', 'failed', 'no-reply');
    await settle();
    await h.supervisor.apply([next]);
    await settle();
    expect(h.engine.stateOf(`test/web/${probe}`)).toBe(state);
    const wanted = next.probes.find(({ name }) => name === probe);
    expect(h.engine.timingOf(`test/web/${probe}`)).toEqual(wanted?.timing);
    expect(h.engine.ids().toSorted()).toEqual(beat.probes.map(({ name }) => `test/web/${name}`).toSorted());
  });

  it('whose agent is behind its vsock has it asked at once, without a restart', async () => {
    const { memoryMiB, vcpus, disks, interfaces, binary } = testVm().hypervisor;
    const hypervisor: CloudHypervisorSpec = {
      ...{ memoryMiB, vcpus, disks, interfaces, binary, extraArgs: [] },
      driver: 'cloud-hypervisor',
      kernel: { image: '/boot/vmlinux', append: '' },
      vsockCid: 3,
      watchdog: false,
      pvpanic: false,
      guestAgent: false,
    };
    const vm: VmSpec = { ...web, hypervisor };
    const h = new Harness();
    await h.startHealthy(vm);
    const met = () => h.driver.calls.filter((call) => call.startsWith('attach ')).length;
    const before = met();
    const asked = { ...vm, machineDigest: 'other', hypervisor: { ...hypervisor, guestAgent: true } };
    // The engine counts from nothing, and says nothing of a readiness that goes on failing.
    h.engine.answers.set('test/web/readiness', { result: 'failed', reason: 'connection-refused' });
    expect(await h.supervisor.apply([asked])).toMatchObject({
      changed: [{ id: vm.id, restartRequired: false }],
    });
    await settle();
    expect(met()).toBe(before + 1);
    await h.clock.advance(30_000);
    expect(h.supervisor.state.vms.get(vm.id)?.ready).toBe(false);
    await h.supervisor.apply([{ ...asked, hypervisor: { ...asked.hypervisor, vcpus: 2 } }]);
    await settle();
    expect(met()).toBe(before + 1);
  });

  it('has a probe whose delay is not over begin anew, with what is left of the new one', async () => {
    const slow = changed(web, 'readiness', timed({ initialDelayMs: 300_000 }));
    const h = new Harness();
    h.driver.boot(slow);
    await h.supervisor.start([slow]);
    await h.clock.advance(60_000);
    await h.supervisor.apply([
      changed(slow, 'readiness', timed({ initialDelayMs: 100_000, periodMs: 5_000 })),
    ]);
    expect(h.engine.timingOf('test/web/readiness')).toMatchObject({
      initialDelayMs: 40_000,
      periodMs: 5_000,
    });
    await h.clock.advance(60_000);
    await h.supervisor.apply([
      changed(slow, 'readiness', timed({ initialDelayMs: 100_000, periodMs: 7_000 })),
    ]);
    expect(h.engine.timingOf('test/web/readiness')).toMatchObject({ initialDelayMs: 0, periodMs: 7_000 });
  });

  it('keeps its probes suspended while it is paused', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    h.driver.statuses.set(web.id, 'paused');
    h.driver.emit(web, { type: 'paused' });
    await settle();
    expect(h.engine.isSuspended('test/web/readiness')).toBe(true);
    await h.supervisor.apply([changed(web, 'readiness', () => ({ check: http(81) }))]);
    expect(h.engine.isSuspended('test/web/readiness')).toBe(true);
    expect(h.engine.isSuspended('test/web/agent')).toBe(true);
  });

  it('drops a probe that is switched off', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    await h.supervisor.apply([changed(web, 'agent', () => ({ enabled: false }))]);
    expect(h.engine.ids()).not.toContain('test/web/agent');
    expect(h.engine.stateOf('test/web/readiness')).toBe('ok');
  });
});

/** A guest's service; not ok once told so. */
async function service(): Promise<{ readonly port: number; fail: () => void }> {
  let status = 200;
  const server: Server = createServer((_request, response) => void response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const place = server.address();
  if (place === null || typeof place === 'string') throw new Error('not a TCP server');
  const fail = () => {
    status = 503;
  };
  return { port: place.port, fail };
}

describe('readiness under a real engine', () => {
  const timing = {
    initialDelayMs: 0,
    periodMs: 100,
    timeoutMs: 95,
    successThreshold: 1,
    failureThreshold: 2,
  };

  async function world() {
    const guest = await service();
    const engine = new ProbeEngine({ engine: 'portable', lateMs: 10_000 });
    onTestFinished(() => engine.close());
    const driver = new RecordingDriver(() => systemClock.now());
    const h = new Harness({ driver, real: { engine, clock: systemClock } });
    onTestFinished(() => h.supervisor.close());
    const vm = vmSpec('web', {
      probes: [{ ...probeSpec('readiness', 'readiness', http(guest.port)), timing }],
      recovery: { ...web.recovery, enabled: false },
    });
    h.driver.boot(vm);
    await h.supervisor.start([vm]);
    const ready = (is: boolean) =>
      vi.waitFor(() => expect(h.supervisor.state.vms.get(vm.id)?.ready).toBe(is), PATIENCE);
    await ready(true);
    return { h, vm, guest, ready };
  }

  it('is lost after a reload that changes its times', async () => {
    const { h, vm, guest, ready } = await world();
    await h.supervisor.apply([changed(vm, 'readiness', timed({ failureThreshold: 3 }))]);
    guest.fail();
    await ready(false);
  });

  it('is lost at a reload that has it ask what fails, and comes back with what is well', async () => {
    const { h, vm, guest, ready } = await world();
    const other = await service();
    other.fail();
    await h.supervisor.apply([changed(vm, 'readiness', () => ({ check: http(other.port) }))]);
    await ready(false);
    await h.supervisor.apply([changed(vm, 'readiness', () => ({ check: http(guest.port, '/again') }))]);
    await ready(true);
    guest.fail();
    await ready(false);
  });
});
