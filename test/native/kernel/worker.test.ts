import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { FileLock, Pidfd } from '../../../src/kernel/index.js';
import {
  addonPath,
  descriptorTargets,
  kernelThreads,
  kvmMissing,
  TemporaryFolder,
  thrownBy,
} from './support.js';

const PRELUDE = `const { parentPort, workerData } = require('node:worker_threads');
  const k = require(workerData.addon);`;

/** A worker that has loaded the addon itself, run `script`, and said so. */
async function worker(script: string, data: Record<string, unknown> = {}): Promise<Worker> {
  const started = new Worker(
    `${PRELUDE} ${script}; parentPort.postMessage('up'); setInterval(() => {}, 1000);`,
    {
      eval: true,
      workerData: { ...data, addon: addonPath() },
    },
  );
  await once(started, 'message');
  return started;
}

function kernelDescriptors(): number {
  return descriptorTargets().filter((target) => /kvm|pidfd/.test(target)).length;
}

describe('in worker threads', () => {
  it('closes what a terminated worker left open', async () => {
    using folder = new TemporaryFolder();
    const path = folder.file('lock');
    const before = kernelDescriptors();
    const started = await worker(
      'globalThis.kept = [new k.Pidfd(process.pid), new k.FileLock(workerData.path)]; kept[0].signal(0)',
      { path },
    );
    expect(kernelDescriptors()).toBe(before + 1);
    expect(thrownBy(() => new FileLock(path))).toMatchObject({ code: 'ERR_VMPULSE_LOCKED' });
    await started.terminate();
    expect(kernelDescriptors()).toBe(before);
    new FileLock(path).close();
  });

  it("leaves the other threads' handles alone", async () => {
    using own = new Pidfd(process.pid);
    const [first, second] = await Promise.all([
      worker('globalThis.kept = new k.Pidfd(process.pid)'),
      worker(
        "globalThis.kept = new k.Pidfd(process.pid); parentPort.on('message', () => parentPort.postMessage(kept.signal(0) === undefined))",
      ),
    ]);
    await first.terminate();
    second.postMessage('still there?');
    expect(await once(second, 'message')).toEqual([true]);
    own.signal(0);
    await second.terminate();
  });

  it('survives 100 terminations in the middle of canaries', { timeout: 120_000 }, async (ctx) => {
    if (kvmMissing !== undefined) ctx.skip(kvmMissing);
    const before = kernelDescriptors();
    const canaries = `let ok = 0;
      const again = async () => { for (;;) ok += (await k.kvmCanary(5000).promise).ok; };
      for (let i = 0; i < 4; i++) again()`;
    for (let round = 0; round < 25; round++) {
      const workers = await Promise.all(Array.from({ length: 4 }, () => worker(canaries)));
      // At any moment of a canary's life: being started, running, being settled.
      await Promise.all(workers.map(async (each) => sleep(Math.random() * 20).then(() => each.terminate())));
    }
    expect(kernelDescriptors()).toBe(before);
    await vi.waitFor(() => expect(kernelThreads()).toEqual([]), 10_000);
  });

  it('ends the monitors of links of terminated workers', { timeout: 60_000 }, async () => {
    const monitors = `globalThis.kept = [0, 1, 2, 3].map(() => new k.LinkMonitor(() => {})); kept[0].close()`;
    for (let round = 0; round < 5; round++) {
      const workers = await Promise.all(Array.from({ length: 4 }, () => worker(monitors)));
      const links = () => kernelThreads().filter((name) => name === 'vmpulse-links');
      try {
        // A thread names itself when it first runs, and one that is closed may still be about to end.
        await vi.waitFor(() => expect(links()).toHaveLength(12), 10_000);
      } finally {
        await Promise.all(workers.map((each) => each.terminate()));
      }
    }
    await vi.waitFor(() => expect(kernelThreads()).toEqual([]), 10_000);
  });
});

describe('raw calls', () => {
  it('refuse a receiver of another class', async () => {
    using folder = new TemporaryFolder();
    const started = await worker(
      `const errors = [];
       for (const call of [
         () => k.Pidfd.prototype.close.call({}),
         () => k.Pidfd.prototype.close.call(new k.FileLock(workerData.path)),
         () => k.Pidfd(1),
         () => k.kvmInfo.call(null).apiVersion && new k.Pidfd(),
         () => new k.Pidfd('1'),
         () => k.kvmCanaryCancel(),
         () => k.sdNotify('/run/none'),
       ]) { try { call(); errors.push('none'); } catch (error) { errors.push(error.name); } }
       parentPort.on('message', () => parentPort.postMessage(errors))`,
      { path: folder.file('lock') },
    );
    started.postMessage('errors?');
    const [errors] = await once(started, 'message');
    expect(errors).toEqual(Array.from({ length: 7 }, () => 'TypeError'));
    await started.terminate();
  });
});
