import { spawnSync } from 'node:child_process';
import { describe, expect, it, vi } from 'vitest';
import { kvmCanary, kvmInfo } from '../../../src/kernel/index.js';
import { addonPath, descriptorTargets, kernelThreads, kvmMissing } from './support.js';

const DEADLINE_MS = 30_000;

function kvmDescriptors(): string[] {
  return descriptorTargets().filter((target) => target.includes('kvm'));
}

describe('kvmInfo', () => {
  it('tells version and capabilities', (ctx) => {
    if (kvmMissing !== undefined) ctx.skip(kvmMissing);
    const info = kvmInfo();
    expect(info.apiVersion).toBe(12);
    expect(info.vcpuMmapBytes).toBeGreaterThanOrEqual(4096);
    expect(info.capabilities).toMatchObject({ USER_MEMORY: 1, IRQCHIP: 1, IMMEDIATE_EXIT: 1 });
    expect(info.capabilities.NR_VCPUS).toBeGreaterThanOrEqual(1);
    expect(info.capabilities.MAX_VCPUS).toBeGreaterThanOrEqual(info.capabilities.NR_VCPUS ?? 1);
    expect(kvmDescriptors()).toEqual([]);
  });
});

describe('kvmCanary', () => {
  it('runs a real guest', async (ctx) => {
    if (kvmMissing !== undefined) ctx.skip(kvmMissing);
    const result = await kvmCanary({ deadlineMs: DEADLINE_MS });
    expect(result).toMatchObject({ ok: true, output: 'vmpulse' });
    expect(result.elapsedMs).toBeGreaterThan(0);
    expect(result.elapsedMs).toBeLessThan(DEADLINE_MS);
  });

  it('runs many at once and leaves no descriptor and no thread', async (ctx) => {
    if (kvmMissing !== undefined) ctx.skip(kvmMissing);
    const results = await Promise.all(
      Array.from({ length: 20 }, () => kvmCanary({ deadlineMs: DEADLINE_MS })),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(20);
    expect(kvmDescriptors()).toEqual([]);
    await vi.waitFor(() => expect(kernelThreads()).toEqual([]), 10_000);
  });

  it('does not start under an aborted signal', async () => {
    const reason = new Error('no longer needed');
    await expect(
      kvmCanary({ deadlineMs: DEADLINE_MS, signal: AbortSignal.abort(reason) }),
    ).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED', cause: reason });
  });

  it('ends early when its signal fires', async (ctx) => {
    if (kvmMissing !== undefined) ctx.skip(kvmMissing);
    const controller = new AbortController();
    const canary = kvmCanary({ deadlineMs: DEADLINE_MS, signal: controller.signal });
    controller.abort();
    await expect(canary).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    expect(kvmDescriptors()).toEqual([]);
  });

  it('takes no notice of a signal that fires after the end', async (ctx) => {
    if (kvmMissing !== undefined) ctx.skip(kvmMissing);
    const controller = new AbortController();
    expect(await kvmCanary({ deadlineMs: DEADLINE_MS, signal: controller.signal })).toMatchObject({
      ok: true,
    });
    controller.abort();
  });

  it.each([0, -1, 1.5, 60_001, Number.NaN])('refuses a deadline of %d ms', async (deadlineMs) => {
    await expect(kvmCanary({ deadlineMs })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: 'deadlineMs must be an integer from 1 to 60000',
    });
  });

  it.each([
    'process.exit(7)',
    'process.exitCode = 7',
  ])('does not hold up the end of a process by %s', (end) => {
    const script = `const k = require(${JSON.stringify(addonPath())});
      for (let i = 0; i < 20; i++) k.kvmCanary(1000).promise; ${end}`;
    const { status, signal } = spawnSync(process.execPath, ['-e', script], { timeout: 20_000 });
    expect({ status, signal }).toEqual({ status: 7, signal: null });
  });
});
