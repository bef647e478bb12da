import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { livingState } from '../../src/hypervisors/process.js';
import type { QemuDriver, QemuSession } from '../../src/hypervisors/qemu/index.js';
import type { LadderStep } from '../../src/model/action.js';
import { systemClock } from '../../src/model/clock.js';
import type { CapturedEvidence } from '../../src/model/ports.js';
import type { VmSpec } from '../../src/model/vm.js';
import { createRecoveries } from '../../src/recovery/registry.js';
import { labAvailable, needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { BOOT_MS, DriverBench, SOON } from './driver-bench.js';

const TEST_MS = 6 * BOOT_MS;

describe('recoveries on a real VM', () => {
  let bench: DriverBench;
  let driver: QemuDriver;

  beforeAll(() => {
    if (!labAvailable().ok) return;
    bench = new DriverBench();
    driver = bench.newDriver();
  });
  beforeEach((context) => {
    needsLab(context);
  });
  afterAll(async () => {
    await bench?.close();
  });

  const evidence: CapturedEvidence[] = [];

  function recover(step: LadderStep, vm: VmSpec, session?: QemuSession) {
    const action = {
      id: `${step}-1`,
      vm: vm.id,
      step,
      attempt: 1,
      diagnosis: { kind: 'guest-hung', cause: 'guest-panicked', evidence: [] },
      timeoutMs: SOON.deadlineMs,
    } as const;
    const context = {
      vm,
      driver,
      clock: systemClock,
      signal: new AbortController().signal,
      save: (saved: CapturedEvidence) => evidence.push(saved),
      onViolation: (what: string) => {
        throw new Error(what);
      },
      ...(session === undefined ? {} : { session }),
    };
    return createRecoveries().get(step)?.run(action, context);
  }

  it('bring a VM back: start, reset, restart-service, continue-process, power-cycle', {
    timeout: TEST_MS,
  }, async () => {
    const guest = await bench.vm('heal');
    const restartService = ['/sbin/svc', 'restart', 'httpd'];
    const vm: VmSpec = { ...guest, recovery: { ...guest.recovery, restartService } };
    const done = { result: 'done' };

    expect(await recover('start', vm)).toEqual(done);
    const session = await bench.attached(driver, vm);
    bench.track(session.process);
    const first = await bench.ready(vm);
    expect(await recover('start', vm)).toMatchObject({
      result: 'impossible',
      code: 'ERR_VMPULSE_VM_RUNNING',
    });

    await poll('the agent answers', SOON.deadlineMs, () => session.agent?.connected || undefined);
    await bench.fault(vm, 'kill-httpd');
    await expect
      .poll(() => bench.fault(vm, 'idle').catch(() => 'silent'), { timeout: 10_000 })
      .toBe('silent');
    expect(await recover('restart-service', vm, session)).toEqual(done);
    expect(await bench.ready(vm)).toBe(first);

    process.kill(session.process.pid, 'SIGSTOP');
    expect(await recover('continue-process', vm, session)).toEqual(done);
    expect(await bench.ready(vm)).toBe(first);

    await bench.fault(vm, 'panic');
    await poll(
      'panicked',
      SOON.deadlineMs,
      async () => (await session.status(SOON)) === 'guest-panicked' || undefined,
    );
    expect(await recover('reset', vm, session)).toEqual(done);
    expect(evidence.at(-1)?.consoleTail).toContain('Kernel panic');
    const second = await bench.ready(vm, first);

    process.kill(session.process.pid, 'SIGSTOP');
    expect(await recover('power-cycle', vm, session)).toEqual(done);
    expect(livingState(session.process)).toBeUndefined();
    const look = z
      .object({ process: z.object({ pid: z.number(), startTimeTicks: z.number() }) })
      .parse(await driver.look(vm, SOON));
    bench.track(look.process);
    expect(look.process).not.toEqual(session.process);
    expect(readFileSync(bench.path(vm, 'console.log.1'), 'utf8')).toContain(second);
    await bench.ready(vm, second);
  });
});
