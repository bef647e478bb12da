import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { VmSpec } from '../../../src/model/vm.js';
import { type Availability, MemoryJournal } from '../../../src/runtime/journal/index.js';
import { ManualClock, settle } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const web = vmSpec('web');

/** Health is back and stays: the episode must close as recovered. */
async function recovers(h: Harness, vm: VmSpec): Promise<void> {
  await h.allOk(vm);
  await h.clock.advance(vm.recovery.stableForMs + 1000);
  const { episode, pastEpisodes, health } = h.explain(vm);
  expect(health).toBe('healthy');
  expect(episode).toBeNull();
  expect(pastEpisodes.at(-1)?.outcome).toBe('recovered');
}

async function entriesOf(h: Harness, vm: string) {
  return (await h.journal.query({ vm, order: 'oldest', limit: 100 })).entries;
}

function lastDiagnosis(h: Harness, vm: VmSpec) {
  const diagnosis = h.explain(vm).pastEpisodes.at(-1)?.diagnosis;
  return [diagnosis?.kind, diagnosis?.cause];
}

describe('one scenario a fault', () => {
  it('restarts the service when it fails while the agent answers', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    h.engine.answers.set('test/web/readiness', { result: 'failed', reason: 'connection-refused' });
    h.engine.answers.set('test/web/liveness', { result: 'failed', reason: 'connection-refused' });
    h.engine.transition('test/web/readiness', 'failed', 'connection-refused');
    h.engine.transition('test/web/liveness', 'failed', 'connection-refused');
    await h.clock.advance(5000);
    expect(h.driver.calls).toContain('exec /sbin/svc restart httpd test/web');
    h.engine.answers.clear();
    await recovers(h, web);
    expect(lastDiagnosis(h, web)).toEqual(['service', 'service-unreachable']);
    expect(h.steps()).toEqual(['restart-service']);
  });

  it('resets a guest that panicked, after saving the evidence', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const epoch = h.engine.epochOf('test/web/liveness');
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(100);
    const act = h.driver.calls.filter((call) => /capture|reset|stop/.test(call));
    expect(act).toEqual(['capture test/web', 'reset test/web']);
    expect(h.engine.epochOf('test/web/liveness')).toBeGreaterThan(epoch);
    await recovers(h, web);
    expect(lastDiagnosis(h, web)).toEqual(['guest-hung', 'guest-panicked']);
    expect(h.steps()).toEqual(['reset']);
  });

  it('resets a guest whose watchdog fired', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    h.driver.emit(web, { type: 'watchdog', action: 'pause' });
    h.driver.emit(web, { type: 'paused' });
    await h.clock.advance(100);
    await recovers(h, web);
    expect(lastDiagnosis(h, web)).toEqual(['guest-hung', 'watchdog-expired']);
    expect(h.steps()).toEqual(['reset']);
  });

  it('starts a VM whose VMM is gone', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const before = h.driver.processOf(web);
    h.driver.vanish(web);
    h.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
    await h.clock.advance(100);
    expect(h.driver.processOf(web)?.pid).not.toBe(before?.pid);
    await recovers(h, web);
    expect(lastDiagnosis(h, web)).toEqual(['vmm-dead', 'process-gone']);
    expect(h.steps()).toEqual(['start']);
  });

  it('continues a stopped VMM and nothing more', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    for (const probe of ['readiness', 'liveness', 'agent'])
      h.engine.answers.set(`test/web/${probe}`, { result: 'failed', reason: 'response-timeout' });
    h.engine.answers.set('test/web/vm-state', { result: 'failed', reason: 'api-unreachable' });
    h.engine.answers.set('test/web/vmm-process', { result: 'failed', reason: 'process-stopped' });
    h.engine.transition('test/web/vmm-process', 'failed', 'process-stopped');
    h.engine.transition('test/web/liveness', 'failed', 'response-timeout');
    await h.clock.advance(5000);
    expect(h.driver.calls.filter((call) => /continue|reset|stop|start /.test(call))).toEqual([
      'continue test/web',
    ]);
    h.engine.answers.clear();
    await recovers(h, web);
    expect(lastDiagnosis(h, web)).toEqual(['vmm-stopped', 'process-stopped']);
    expect(h.steps()).toEqual(['continue-process']);
  });
});

describe('what keeps a recovery back', () => {
  it('holds while beforeAction says so, journals it, and acts once it allows', async () => {
    let allowed = false;
    const h = new Harness({ beforeAction: () => (allowed ? { allow: true } : { hold: 'backup runs' }) });
    await h.startHealthy(web);
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(1000);
    expect(h.driver.calls).not.toContain('reset test/web');
    const entries = await entriesOf(h, web.id);
    expect(entries.some((entry) => entry.text.includes('backup runs'))).toBe(true);
    allowed = true;
    await h.clock.advance(30_000);
    expect(h.driver.calls).toContain('reset test/web');
  });

  it('holds when beforeAction throws: doing nothing is always allowed', async () => {
    const h = new Harness({ beforeAction: () => Promise.reject(new Error('lost its mind')) });
    await h.startHealthy(web);
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(1000);
    expect(h.driver.calls).not.toContain('reset test/web');
  });

  it('does nothing while the hold file is there', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vmpulse-hold-'));
    try {
      const holdFile = join(dir, 'hold');
      writeFileSync(holdFile, 'switch maintenance\n');
      const h = new Harness({ holdFile });
      await h.startHealthy(web);
      h.driver.emit(web, { type: 'panicked', action: 'pause' });
      await h.clock.advance(1000);
      expect(h.driver.calls).not.toContain('reset test/web');
      rmSync(holdFile);
      await h.clock.advance(30_000);
      expect(h.driver.calls).toContain('reset test/web');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('only says what it would do while recovery is off', async () => {
    const quiet = vmSpec('quiet', { recovery: { ...web.recovery, enabled: false } });
    const h = new Harness();
    await h.startHealthy(quiet);
    h.driver.emit(quiet, { type: 'panicked', action: 'pause' });
    await h.clock.advance(60_000);
    expect(h.driver.calls.filter((call) => call.startsWith('reset'))).toEqual([]);
    const entries = await entriesOf(h, quiet.id);
    expect(entries.some((entry) => entry.data.kind === 'would')).toBe(true);
  });

  it('holds everything and says so when the policy breaks an invariant of its own', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    // Twenty boots in this minute, where ten are allowed: no rule of the policy can have come here.
    h.supervisor.state.host.boots.push(...Array.from({ length: 20 }, () => h.clock.now()));
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(50_000);
    expect(h.driver.calls).not.toContain('reset test/web');
    expect(h.supervisor.degradations.map(({ what }) => what)).toContain('policy');
    expect(h.supervisor.state.host.hold?.reason).toMatch(/invariant.*boots in a minute/);
    // Probing goes on.
    h.engine.transition('test/web/readiness', 'failed', 'connection-refused');
    await settle();
    expect(h.explain(web).probes.find(({ name }) => name === 'readiness')?.state).toBe('failed');
  });

  it('holds while a person holds, and goes on after resume', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const record = { vm: null, text: 'held', data: {} };
    await h.supervisor.command(
      { type: 'hold', vm: null, reason: 'drill', author: 'ada', untilMs: null },
      record,
    );
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(10_000);
    expect(h.driver.calls).not.toContain('reset test/web');
    await h.supervisor.command({ type: 'unhold', vm: null, author: 'ada' }, record);
    await h.clock.advance(10_000);
    expect(h.driver.calls).toContain('reset test/web');
  });
});

describe('a restart of the daemon', () => {
  it('adopts what runs and touches nothing', async () => {
    const first = new Harness();
    await first.startHealthy(web);
    await first.supervisor.close();
    const { clock, driver, journal } = first;
    driver.calls.length = 0;
    const second = new Harness({ clock, driver, journal });
    await second.startHealthy(web);
    await clock.advance(10_000);
    expect(driver.calls.filter((call) => /start|reset|stop|continue/.test(call))).toEqual([]);
    expect(second.explain(web).health).toBe('healthy');
  });

  it('resolves an action that it died in by looking, not by repeating it', async () => {
    const first = new Harness();
    await first.startHealthy(web);
    const { clock, driver, journal } = first;
    // The start hangs for good: the daemon dies while it is in flight.
    let started = false;
    driver.start = () => {
      started = true;
      return new Promise(() => {});
    };
    driver.vanish(web);
    first.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
    await clock.advance(1000);
    expect(started).toBe(true);
    expect(await journal.unfinished()).toHaveLength(1);
    // It had worked all the same.
    driver.boot(web);
    driver.calls.length = 0;
    // The dead daemon's timers stay behind with its clock.
    const second = new Harness({ clock: new ManualClock(clock.now()), driver, journal });
    await second.startHealthy(web);
    await second.clock.advance(200_000);
    expect(driver.calls.filter((call) => call.startsWith('start'))).toEqual([]);
    expect(await journal.unfinished()).toEqual([]);
    expect(second.explain(web).health).toBe('healthy');
  });

  it('starts degraded on state that it cannot read, and overwrites it only when a person says so', async () => {
    const first = new Harness();
    const journal = first.journal;
    const damaged = new Map([['policy/host', '{"damaged']]);
    await journal.saveState(damaged, { deadlineMs: 1000 });
    const h = new Harness({ journal });
    await h.startHealthy(web);
    expect(h.supervisor.degradations.map(({ what }) => what)).toContain('state');
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(20_000);
    expect(h.driver.calls).not.toContain('reset test/web');
    expect(await journal.loadState('policy/')).toEqual(damaged);
    const record = { vm: null, text: 'resumed', data: {} };
    await h.supervisor.command({ type: 'unhold', vm: null, author: 'ada' }, record);
    await h.clock.advance(20_000);
    expect(h.driver.calls).toContain('reset test/web');
    expect([...(await journal.loadState('policy/')).keys()].sort()).toEqual([
      'policy/host',
      'policy/vm/test/web',
    ]);
    expect((await journal.loadState('policy/')).get('policy/host')).not.toBe('{"damaged');
    expect(h.supervisor.degradations.map(({ what }) => what)).not.toContain('state');
  });

  it('starts nothing after its journal was lost, shows that, and goes on when a person says so', async () => {
    class LostJournal extends MemoryJournal {
      override availability: Availability = { available: true, sinceMs: 0, lost: 'it is another one' };
      override async acceptLoss(): Promise<void> {
        this.availability = { available: true, sinceMs: 0 };
        this.#listener(this.availability);
      }
      #listener: (availability: Availability) => void = () => {};
      override onAvailability(listener: (availability: Availability) => void): () => void {
        this.#listener = listener;
        return () => {};
      }
    }
    const h = new Harness({ journal: new LostJournal() });
    await h.supervisor.start([web]);
    await h.clock.advance(60_000);
    expect(h.steps()).toEqual([]);
    expect(h.supervisor.degradations).toMatchObject([{ what: 'journal-lost' }]);
    expect(h.explain(web).holds.map(({ rule }) => rule)).toEqual(['journal-unavailable']);
    const record = { vm: null, text: 'resumed', data: {} };
    await h.supervisor.command({ type: 'unhold', vm: null, author: 'ada' }, record);
    await h.clock.advance(1_000);
    expect(h.steps()).toEqual(['start']);
    expect(h.supervisor.degradations).toEqual([]);
  });

  it('starts at first start what should run', async () => {
    const h = new Harness();
    await h.supervisor.start([web]);
    await h.clock.advance(1000);
    expect(h.driver.calls).toContain('start test/web');
    await h.allOk(web);
    expect(h.explain(web).health).toBe('healthy');
  });

  it('shows why a monitor cannot be used, of its VM and as long as that lasts', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const foreign = { type: 'monitor', state: 'foreign', why: 'protocol-error: received "SSH-2.0"' } as const;
    h.driver.emit(web, foreign);
    const shown = [
      expect.objectContaining({ what: 'monitor/test/web', why: expect.stringContaining('"SSH-2.0"') }),
    ];
    expect(h.supervisor.degradations).toEqual(shown);
    expect(h.supervisor.degradationsOf(web.id)).toEqual(shown);
    expect(h.supervisor.degradationsOf('test/web-2')).toEqual([]);
    h.driver.emit(web, { type: 'monitor', state: 'connected' });
    expect(h.supervisor.degradations).toEqual([]);
    h.driver.emit(web, { type: 'monitor', state: 'busy', why: 'channel-busy' });
    expect(h.supervisor.degradations).toHaveLength(1);
    await h.supervisor.apply([]);
    expect(h.supervisor.degradations).toEqual([]);
  });

  it('watches a VM again that somebody else starts', async () => {
    const manual: VmSpec = { ...web, runStrategy: 'Manual' };
    const h = new Harness();
    await h.supervisor.start([manual]);
    expect(h.explain(manual).health).toBe('stopped');
    await h.clock.advance(60_000);
    expect(h.driver.calls.filter((call) => call.startsWith('attach'))).toEqual([]);
    for (const _ of ['first', 'second']) {
      h.driver.boot(manual);
      await h.clock.advance(10_000);
      await h.allOk(manual);
      expect(h.explain(manual).health).toBe('healthy');
      const looks = h.driver.calls.length;
      await h.clock.advance(60_000);
      expect(h.driver.calls).toHaveLength(looks);
      h.driver.vanish(manual);
      h.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
      await h.clock.advance(1_000);
      expect(h.explain(manual).health).toBe('stopped');
    }
    await h.supervisor.apply([]);
    h.driver.boot(manual);
    await h.clock.advance(60_000);
    expect(h.driver.calls.filter((call) => call.startsWith('attach'))).toHaveLength(2);
  });

  it('leaves a VM alone whose look fails, and looks again', async () => {
    const h = new Harness();
    const { VmpulseError } = await import('../../../src/model/errors.js');
    h.driver.failures.set('look', new VmpulseError('ERR_VMPULSE_TIMEOUT', 'no answer'));
    await h.supervisor.start([web]);
    await settle();
    expect(h.supervisor.degradations.map(({ what }) => what)).toEqual(['look/test/web']);
    expect(h.driver.calls.filter((call) => call.startsWith('start'))).toEqual([]);
    h.driver.failures.clear();
    h.driver.boot(web);
    await h.clock.advance(6000);
    expect(h.supervisor.degradations).toEqual([]);
    expect(h.engine.ids()).toContain('test/web/liveness');
  });

  it('watches a VM without the one probe that the engine refuses', async () => {
    const h = new Harness();
    h.engine.lacks.add('vmState');
    h.driver.boot(web);
    await h.supervisor.start([web]);
    const others = web.probes.filter(({ name }) => name !== 'vm-state');
    expect(h.engine.ids()).toEqual(others.map(({ name }) => `test/web/${name}`));
    const shown = [{ what: 'probe/test/web/vm-state', why: 'there is no vmState here' }];
    expect(h.supervisor.degradations).toMatchObject(shown);
    for (const { name } of others) h.engine.transition(`test/web/${name}`, 'ok');
    await settle();
    expect(h.explain(web).health).toBe('healthy');
    h.engine.lacks.clear();
    await h.supervisor.apply([{ ...web, labels: { changed: 'yes' } }]);
    expect(h.engine.ids()).toContain('test/web/vm-state');
    expect(h.supervisor.degradations).toEqual([]);
  });
});
