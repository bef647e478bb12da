import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ProbeEngine } from '../../../src/engine/index.js';
import type { TargetCheck } from '../../../src/engine/probe-engine.js';
import { loadKernel, Pidfd } from '../../../src/kernel/index.js';
import { errorMessage } from '../../../src/model/errors.js';
import { Events, eventually, target } from '../../native/engine/support.js';
import { openPortable } from './support.js';

const FAR = { periodMs: 60_000, timeoutMs: 1000, initialDelayMs: 60_000 };

beforeEach((ctx) => {
  try {
    loadKernel();
  } catch (error) {
    ctx.skip(`pidfds come from the kernel addon, which does not load: ${errorMessage(error)}`);
  }
});

/** A process that sleeps, with a pidfd; both end with the test. */
async function sleeper(): Promise<{ child: ChildProcess; pid: number; pidfd: Pidfd; check: TargetCheck }> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error('sleep did not start');
  const pidfd = new Pidfd(pid);
  onTestFinished(() => pidfd.close());
  return { child, pid, pidfd, check: { kind: 'vmmProcess', pidfd: pidfd.fd, pid } };
}

async function look(engine: ProbeEngine, check: TargetCheck): Promise<unknown> {
  return (await engine.probeOnce(check, { timeoutMs: 1000 })).outcome;
}

describe('a process', () => {
  it('runs, is stopped, continues, and is gone', async () => {
    const engine = openPortable();
    const { child, pid, check } = await sleeper();
    const letter = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '';
    expect(await look(engine, check)).toEqual({ result: 'ok' });
    child.kill('SIGSTOP');
    await eventually(() => letter() === 'T', 'the stop');
    expect(await look(engine, check)).toEqual({ result: 'failed', reason: 'process-stopped' });
    child.kill('SIGCONT');
    await eventually(() => letter() !== 'T', 'the continuation');
    expect(await look(engine, check)).toEqual({ result: 'ok' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await look(engine, check)).toEqual({ result: 'failed', reason: 'process-gone' });
  });

  it('that ends is told long before its next probe, whatever its threshold', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const { child, pidfd, check } = await sleeper();
    const [handle = 0] = engine.add([
      { ...target('vmm', check, { ...FAR, failureThreshold: 5 }), startState: 'ok' },
    ]);
    pidfd.close();
    child.kill('SIGKILL');
    expect(await events.until(handle, 'failed')).toMatchObject({
      from: 'ok',
      reason: 'process-gone',
      count: 1,
    });
  });

  it('that ended before is told at once', async () => {
    const engine = openPortable();
    const { child, check } = await sleeper();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const [handle = 0] = engine.add([target('vmm', check, FAR)]);
    expect(await new Events(engine).next()).toMatchObject({ handle, to: 'failed', reason: 'process-gone' });
  });

  it('that ends while its target is suspended is told with the resumption', async () => {
    const engine = openPortable();
    const { child, check } = await sleeper();
    const [handle = 0] = engine.add([target('vmm', check, FAR)]);
    engine.suspend([handle]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(engine.status(handle).state).toBe('unknown');
    engine.resume([handle]);
    expect(engine.status(handle)).toMatchObject({ state: 'failed', reason: 'process-gone' });
  });

  it('must be the one of the pidfd', async () => {
    const { pidfd } = await sleeper();
    const check = { kind: 'vmmProcess', pidfd: pidfd.fd, pid: process.pid } as const;
    expect(() => openPortable().add([target('vmm', check)])).toThrow(/is of process \d+, not of/);
  });
});
