import { describe, expect, it, vi } from 'vitest';
import type { ProbeCheck } from '../../../src/model/probe.js';
import { ExternalRunner } from '../../../src/runtime/external-runner.js';
import { ManualClock, settle } from '../../fakes/manual-clock.js';
import { ScriptedEngine } from '../../fakes/scripted-engine.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const command = (argv: readonly string[]): ProbeCheck => ({ kind: 'command', command: { argv, env: [] } });

function withProbe(check: ProbeCheck) {
  return vmSpec('web', { probes: [...vmSpec('web').probes, probeSpec('script', 'check', check)] });
}

describe('a probe that runs outside the engine', () => {
  it('looks when it is due, and the journal has what it said', async () => {
    const vm = withProbe(command(['/bin/sh', '-c', 'echo $VMPULSE_VM_NAME is full >&2; exit 2']));
    const h = new Harness();
    await h.startHealthy(vm);
    h.engine.due('test/web/script');
    await vi.waitFor(() => expect(h.engine.reports).toHaveLength(1));
    expect(h.engine.reports[0]?.outcome).toEqual({ result: 'failed', reason: 'exec-nonzero' });
    h.engine.transition('test/web/script', 'failed', 'exec-nonzero');
    await settle();
    await h.supervisor.recorder.settled();
    const texts = (await h.journal.read({ limit: 100 })).map(({ text }) => text);
    expect(texts).toContain('probe script ok → failed (exec-nonzero: exit status 2: web is full)');
  });

  it('looks anew for a confirmation', async () => {
    const vm = withProbe(command(['/bin/sh', '-c', 'exit 1']));
    const h = new Harness();
    await h.startHealthy(vm);
    const unit = h.supervisor.units.get(vm.id);
    expect(await unit?.probes.confirm(['script', 'liveness'], 5000)).toEqual({
      script: { result: 'failed', reason: 'exec-nonzero' },
      liveness: { result: 'ok' },
    });
  });
});

describe('ExternalRunner', () => {
  it('lets 64 look at once; who does not get a turn in time was late', async () => {
    const clock = new ManualClock();
    const runner = new ExternalRunner(new ScriptedEngine(() => clock.now()), clock);
    const ends: (() => void)[] = [];
    const slow = {
      probe: () =>
        new Promise<{ outcome: { result: 'ok' } }>((resolve) =>
          ends.push(() => resolve({ outcome: { result: 'ok' } })),
        ),
    };
    const looks = Array.from({ length: 66 }, () => runner.ask(slow, 1000));
    await settle();
    expect(ends).toHaveLength(64);
    ends[0]?.();
    await settle();
    expect(ends).toHaveLength(65);
    await clock.advance(1000);
    const results = (await Promise.all(looks)).map(({ outcome }) =>
      outcome.result === 'ok' ? 'ok' : outcome.reason,
    );
    expect(results.filter((result) => result === 'ok')).toHaveLength(1);
    expect(results.filter((result) => result === 'prober-late')).toHaveLength(1);
    expect(results.filter((result) => result === 'response-timeout')).toHaveLength(64);
  });

  it('withdraws what is under way when it is closed', async () => {
    const clock = new ManualClock();
    const runner = new ExternalRunner(new ScriptedEngine(() => clock.now()), clock);
    const look = runner.ask(
      {
        probe: ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      },
      1000,
    );
    await settle();
    await runner.close();
    expect(await look).toEqual({ outcome: { result: 'inconclusive', reason: 'cancelled' } });
  });
});
