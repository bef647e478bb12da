import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAINTENANCE_TASKS, type MaintenanceEntry } from '../../../src/model/maintenance.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { commandFor } from '../../../src/runtime/maintenance/commands.js';
import { ManualClock, settle } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The clock of a harness begins at midnight; most entries are due an hour later. */
const AT_ONE = '0 1 * * *';

function vmWith(work: MaintenanceEntry['do'], changes: Partial<MaintenanceEntry> = {}, name = 'web'): VmSpec {
  return vmSpec(name, { maintenance: [{ name: 'job', schedule: AT_ONE, do: work, ...changes }] });
}

async function until(h: Harness, hours: number): Promise<void> {
  await h.clock.advance(Date.UTC(2030, 0, 1) + hours * HOUR_MS - h.clock.now());
}

const lastOf = (h: Harness) => h.supervisor.maintenance[0]?.last;
const runs = (h: Harness) => h.driver.calls.filter((call) => call.startsWith('exec'));

async function toldOf(h: Harness): Promise<string[]> {
  await h.supervisor.recorder.settled();
  const entries = await h.journal.read({ limit: 1000 });
  return entries.filter(({ data }) => data.verb === 'maintenance-run').map(({ text }) => text);
}

/** A guest whose commands end when the test says so. */
function slowGuest(h: Harness): { end: () => Promise<void> } {
  const ends: (() => void)[] = [];
  h.driver.guest = () =>
    new Promise((resolve) => ends.push(() => resolve({ exitCode: 0, stdout: '', stderr: '' })));
  return {
    end: async () => {
      ends.shift()?.();
      await settle();
    },
  };
}

describe('a run in the guest', () => {
  it('begins when it is due, by the tool of the guest, and is journalled with its output', async () => {
    const h = new Harness();
    h.driver.guest = async () => ({ exitCode: 0, stdout: 'freed \u001b[1m120M', stderr: '' });
    await h.startHealthy(vmWith('journal-vacuum'));
    await until(h, 0.99);
    expect(runs(h)).toEqual([]);
    expect(h.supervisor.maintenance[0]).toMatchObject({ state: 'idle', nextAtMs: Date.UTC(2030, 0, 1, 1) });
    await until(h, 1);
    expect(runs(h)).toEqual(['exec journalctl --vacuum-size=200M test/web']);
    expect(await toldOf(h)).toEqual([
      'maintenance job begins: journal-vacuum',
      'maintenance job done: journalctl --vacuum-size=200M ended with status 0: freed \\u001b[1m120M',
    ]);
    const entries = await h.journal.read({ limit: 1000 });
    expect(entries.find(({ text }) => text.startsWith('maintenance job done'))?.data).toMatchObject({
      author: 'vmpulse',
      exitCode: 0,
      stdout: 'freed \\u001b[1m120M',
    });
    expect(h.supervisor.maintenance[0]?.nextAtMs).toBe(Date.UTC(2030, 0, 2, 1));
  });

  it('bounds what the guest wrote to its end', async () => {
    const h = new Harness();
    h.driver.guest = async () => ({ exitCode: 1, stdout: '', stderr: `${'x'.repeat(9000)} no space left` });
    await h.startHealthy(vmWith({ command: ['/sbin/tidy', 'up'] }));
    await until(h, 1);
    expect(lastOf(h)?.result).toBe('failed');
    expect(lastOf(h)?.text).toMatch(/^\/sbin\/tidy up ended with status 1: x+ no space left$/);
    expect(lastOf(h)?.text.length).toBeLessThan(300);
  });

  it.each(['plan9', 'mswindows'])('is skipped where the system is %s', async (system) => {
    const h = new Harness();
    h.driver.system = system;
    await h.startHealthy(vmWith('updates'));
    await until(h, 1);
    expect(runs(h)).toEqual([]);
    expect(lastOf(h)).toMatchObject({
      result: 'skipped',
      text: `no command for updates is known for the system ${system}`,
    });
  });

  it('holds recovery of its VM while it runs, and no longer', async () => {
    const h = new Harness();
    const guest = slowGuest(h);
    const web = vmWith('updates');
    await h.startHealthy(web);
    await until(h, 1);
    h.engine.answers.set('test/web/liveness', { result: 'failed', reason: 'connection-refused' });
    h.engine.transition('test/web/liveness', 'failed', 'connection-refused');
    await h.clock.advance(MINUTE_MS);
    expect(h.explain(web).holds).toMatchObject([
      { rule: 'person-hold', text: expect.stringContaining('maintenance job runs in the guest') },
    ]);
    expect(h.steps()).toEqual([]);
    await guest.end();
    await h.clock.advance(MINUTE_MS);
    expect(h.steps()[0]).toBe('restart-service');
  });

  it('leaves the hold of a person alone that came meanwhile', async () => {
    const h = new Harness();
    const guest = slowGuest(h);
    const web = vmWith('updates');
    await h.startHealthy(web);
    await until(h, 1);
    const hold = { type: 'hold', vm: web.id, reason: 'look', author: 'ann', untilMs: null } as const;
    await h.supervisor.command(hold, { vm: web.id, text: 'held', data: {} });
    await guest.end();
    expect(lastOf(h)?.result).toBe('done');
    expect(h.supervisor.state.vms.get(web.id)?.hold?.author).toBe('ann');
  });

  it('ends when its guest panics, which is then recovered', async () => {
    const h = new Harness();
    slowGuest(h);
    const web = vmWith('updates');
    await h.startHealthy(web);
    await until(h, 1);
    h.driver.emit(web, { type: 'panicked', action: 'pause' });
    await h.clock.advance(1000);
    expect(lastOf(h)).toMatchObject({
      result: 'failed',
      text: 'the guest ended while it ran (panicked)',
    });
    expect(h.steps()).toEqual(['reset']);
  });

  it('is given up at its time limit', async () => {
    const h = new Harness();
    slowGuest(h);
    await h.startHealthy(vmWith({ command: ['/sbin/tidy'] }));
    await until(h, 1);
    await h.clock.advance(11 * MINUTE_MS);
    expect(lastOf(h)).toMatchObject({
      result: 'failed',
      text: 'maintenance job of test/web did not end before its deadline',
    });
  });

  it('is one at a time in a VM, and two on a host', async () => {
    const h = new Harness();
    const guest = slowGuest(h);
    const work = { command: ['/sbin/tidy'] };
    const two = { name: 'other', schedule: AT_ONE, do: work };
    const web = vmSpec('web', { maintenance: [{ name: 'job', schedule: AT_ONE, do: work }, two] });
    await h.startHealthy(web, vmWith(work, {}, 'db'), vmWith(work, {}, 'mail'));
    await until(h, 1);
    const states = () => h.supervisor.maintenance.map(({ vm, name, state }) => `${vm} ${name} ${state}`);
    expect(states()).toEqual([
      'test/db job running',
      'test/mail job running',
      'test/web job waiting',
      'test/web other waiting',
    ]);
    await guest.end();
    expect(states()).toContain('test/web job running');
    await guest.end();
    expect(h.supervisor.maintenance[3]?.why).toBe('job of the same VM runs');
    await guest.end();
    expect(states()).toContain('test/web other running');
    await guest.end();
    expect(h.supervisor.maintenance.map(({ last }) => last?.result)).toEqual(Array(4).fill('done'));
  });

  it('leaves out a time at which the former run is not over', async () => {
    const h = new Harness();
    slowGuest(h);
    await h.startHealthy(vmWith({ command: ['/sbin/tidy'] }, { schedule: '*/5 * * * *' }));
    await h.clock.advance(14 * MINUTE_MS);
    expect(runs(h)).toHaveLength(1);
    expect(await toldOf(h)).toContain('maintenance job is due again before it ended; this time is left out');
  });
});

describe('a restart', () => {
  it('is done by the policy, which does not take it for a failure', async () => {
    const h = new Harness();
    const web = vmWith('restart');
    await h.startHealthy(web);
    await until(h, 1);
    h.engine.transition('test/web/liveness', 'failed', 'connection-refused');
    await h.clock.advance(MINUTE_MS);
    expect(h.driver.calls.filter((call) => /reboot|reset/.test(call))).toEqual(['reboot test/web']);
    expect(lastOf(h)).toMatchObject({ result: 'done', text: 'reboot carried out' });
    await h.allOk(web);
    await h.clock.advance(HOUR_MS);
    expect(h.steps()).toEqual(['reboot']);
    expect(h.explain(web)).toMatchObject({ health: 'healthy', budget: { rolling24hUsed: 0 } });
  });

  it('that a person withdraws is over', async () => {
    const h = new Harness({ beforeAction: () => ({ hold: 'not now' }) });
    const web = vmWith('restart');
    await h.startHealthy(web);
    await until(h, 1);
    const clear = { type: 'clear-intents', vm: web.id, author: 'ann' } as const;
    await h.supervisor.command(clear, { vm: web.id, text: 'withdrawn', data: {} });
    await h.clock.advance(MINUTE_MS);
    expect(lastOf(h)).toMatchObject({ result: 'skipped', text: 'withdrawn before it was carried out' });
    expect(h.driver.calls).not.toContain('reboot test/web');
  });
});

describe('what is due waits', () => {
  it('for the windows of the VM, however long', async () => {
    const h = new Harness();
    const window = { days: [], fromMinute: 22 * 60, toMinute: 2 * 60 };
    const web = vmWith('journal-vacuum', { schedule: '0 4 * * *' });
    await h.startHealthy({ ...web, recovery: { ...web.recovery, actionWindows: [window] } });
    await until(h, 21.9);
    expect(runs(h)).toEqual([]);
    expect(h.supervisor.maintenance[0]).toMatchObject({
      state: 'waiting',
      why: 'scheduled maintenance waits for its window',
    });
    await until(h, 22.1);
    expect(runs(h)).toHaveLength(1);
  });

  it('for a VM that is not healthy, is told once, and is given up after an hour', async () => {
    const h = new Harness();
    await h.startHealthy(vmWith('journal-vacuum'));
    h.engine.transition('test/web/readiness', 'failed', 'connection-refused');
    await until(h, 2.1);
    expect(runs(h)).toEqual([]);
    expect(await toldOf(h)).toEqual([
      'maintenance job waits: it is degraded',
      'maintenance job missed: could not begin within an hour: it is degraded',
    ]);
    await h.allOk(vmWith('journal-vacuum'));
    await until(h, 24.9);
    expect(runs(h)).toEqual([]);
    await until(h, 25);
    expect(runs(h)).toHaveLength(1);
  });

  it('for a hold, and begins once it is withdrawn', async () => {
    const h = new Harness();
    await h.startHealthy(vmWith('journal-vacuum'));
    const hold = { type: 'hold', vm: null, reason: 'storage', author: 'ann', untilMs: null } as const;
    await h.supervisor.command(hold, { vm: null, text: 'held', data: {} });
    await until(h, 1.5);
    expect(runs(h)).toEqual([]);
    const unhold = { type: 'unhold', vm: null, author: 'ann' } as const;
    await h.supervisor.command(unhold, { vm: null, text: 'resumed', data: {} });
    await h.clock.advance(MINUTE_MS);
    expect(runs(h)).toHaveLength(1);
  });

  it('for the hold file', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vmpulse-maintenance-'));
    try {
      const holdFile = join(dir, 'hold');
      writeFileSync(holdFile, 'ann: storage\n');
      const h = new Harness({ holdFile });
      await h.startHealthy(vmWith('journal-vacuum'));
      await until(h, 1.1);
      expect(runs(h)).toEqual([]);
      expect(h.supervisor.maintenance[0]?.why).toBe(`hold file ${holdFile}: ann: storage`);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('for an annotation that leaves the VM to others', async () => {
    const h = new Harness();
    const mode = { kind: 'unmanaged', reason: 'by annotation' } as const;
    await h.startHealthy({ ...vmWith('restart'), mode });
    await until(h, 1.1);
    expect(h.steps()).toEqual([]);
    expect(h.supervisor.maintenance[0]?.why).toBe('by annotation');
  });

  it.each([
    ['for ever where recovery is only observed', false],
    ['for nothing where recovery is enabled', true],
  ])('%s', async (_, enabled) => {
    const h = new Harness();
    const web = vmWith('journal-vacuum');
    await h.startHealthy({ ...web, recovery: { ...web.recovery, enabled } });
    await until(h, 1.1);
    expect(runs(h)).toHaveLength(enabled ? 1 : 0);
  });
});

describe('a fleet that fails', () => {
  it('keeps maintenance from the VMs that are well', async () => {
    const h = new Harness();
    const others = ['a', 'b', 'c'].map((name) => vmSpec(name));
    await h.startHealthy(vmWith('journal-vacuum'), ...others);
    await until(h, 0.99);
    for (const { id } of others) {
      h.engine.answers.set(`${id}/liveness`, { result: 'failed', reason: 'connection-refused' });
      h.engine.transition(`${id}/liveness`, 'failed', 'connection-refused');
    }
    await until(h, 1.1);
    expect(h.supervisor.state.vms.get('test/web')?.health).toBe('healthy');
    expect(runs(h).filter((call) => call.includes('journalctl'))).toEqual([]);
    expect(h.supervisor.maintenance[0]?.why).toBe('too many VMs fail at once');
  });
});

describe('another daemon', () => {
  it('remembers how it ended, and does not make up for what was due meanwhile', async () => {
    const journal = new MemoryJournal();
    const first = new Harness({ journal });
    const web = vmWith('journal-vacuum');
    await first.startHealthy(web);
    await until(first, 1);
    const before = lastOf(first);
    await first.supervisor.close();
    const clock = new ManualClock(Date.UTC(2030, 0, 3, 12));
    const h = new Harness({ journal, clock, driver: first.driver });
    await h.startHealthy(web);
    await h.clock.advance(HOUR_MS);
    expect(runs(h)).toHaveLength(1);
    expect(before?.result).toBe('done');
    expect(lastOf(h)).toEqual(before);
    expect(h.supervisor.maintenance[0]?.nextAtMs).toBe(Date.UTC(2030, 0, 4, 1));
  });

  it('is not kept waiting by a run, and finds no hold of it', async () => {
    const journal = new MemoryJournal();
    const h = new Harness({ journal });
    slowGuest(h);
    const web = vmWith('updates');
    await h.startHealthy(web);
    await until(h, 1);
    await h.supervisor.close();
    expect(h.supervisor.state.vms.get(web.id)?.hold).toBeNull();
  });

  it('takes a changed schedule with the next reload', async () => {
    const h = new Harness();
    await h.startHealthy(vmWith('journal-vacuum'));
    await h.supervisor.apply([vmWith('journal-vacuum', { schedule: '0 2 * * *' })]);
    await h.allOk(vmWith('journal-vacuum'));
    await until(h, 1.5);
    expect(runs(h)).toEqual([]);
    await until(h, 2);
    expect(runs(h)).toHaveLength(1);
  });
});

describe('commands of the built-ins', () => {
  const systems = ['debian', 'ubuntu', 'fedora', 'rhel', 'opensuse-leap', 'alpine'];
  const all = MAINTENANCE_TASKS.filter((task) => task !== 'restart').flatMap((task) =>
    systems.map((system) => commandFor(task, system)),
  );

  it('are there for most systems', () => {
    expect(all.filter((command) => 'argv' in command).length).toBeGreaterThan(15);
    expect(commandFor('updates', 'alpine')).toEqual({ skip: 'alpine has no tool for updates' });
  });

  it('are no rm and no shell', () => {
    const programs = all.flatMap((command) => ('argv' in command ? [command.argv[0]] : []));
    expect(programs.filter((name) => /(^|\/)(rm|find|sh|bash)$/.test(name ?? ''))).toEqual([]);
  });

  it('are not found by a name that every object has', () => {
    expect(commandFor('updates', 'constructor')).toHaveProperty('skip');
  });
});
