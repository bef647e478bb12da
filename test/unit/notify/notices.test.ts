import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { VmSpec } from '../../../src/model/vm.js';
import { NOTICE_RULES, noticeOf } from '../../../src/notify/notices.js';
import type { RuntimeEvent } from '../../../src/runtime/views.js';
import { settle } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from '../runtime/harness.js';

const page = readFileSync(new URL('../../../docs/guides/notifications.md', import.meta.url), 'utf8');

/** What people are told while the real policy runs. */
async function told(h: Harness, run: () => Promise<void>): Promise<string[]> {
  const abort = new AbortController();
  const events: RuntimeEvent[] = [];
  const listening = (async () => {
    for await (const event of h.supervisor.recorder.events({ signal: abort.signal })) events.push(event);
  })();
  await settle();
  await run();
  await settle();
  abort.abort();
  await listening;
  return events.flatMap((event) => {
    const notice = noticeOf(event);
    return notice === undefined ? [] : [`${notice.topic} ${notice.kind} ${notice.severity} ${notice.role}`];
  });
}

async function die(h: Harness, vm: VmSpec): Promise<void> {
  h.driver.vanish(vm);
  h.engine.transition(`${vm.id}/vmm-process`, 'failed', 'process-gone');
  await h.clock.advance(100);
}

describe('what people are told', () => {
  const web = vmSpec('web');

  it('of a failure that heals', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const kinds = await told(h, async () => {
      await die(h, web);
      await h.allOk(web);
      await h.clock.advance(web.recovery.stableForMs + 1000);
    });
    expect(kinds).toEqual([
      'vm:test/web failure error open',
      'vm:test/web recovery-begun info report',
      'vm:test/web recovered info close',
    ]);
  });

  it('of a VM that nothing helps, until a person lets it out', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const kinds = await told(h, async () => {
      for (let n = 0; n < 40 && h.explain(web).health !== 'quarantined'; n++) {
        h.driver.emit(web, { type: 'panicked', action: 'pause' });
        await h.clock.advance(web.recovery.graceMaxMs);
      }
      const release = { type: 'release', vm: web.id, author: 'ann' } as const;
      await h.supervisor.command(release, { vm: web.id, text: 'released', data: {} });
    });
    expect(kinds).toContain('vm:test/web quarantined critical open');
    expect(kinds.indexOf('vm:test/web released info close')).toBeGreaterThan(
      kinds.indexOf('vm:test/web quarantined critical open'),
    );
  });

  it('of many that fail at once', async () => {
    const vms = Array.from({ length: 10 }, (_, n) => vmSpec(`vm-${n}`));
    const h = new Harness();
    await h.startHealthy(...vms);
    const kinds = await told(h, async () => {
      for (const vm of vms) {
        h.engine.answers.set(`${vm.id}/liveness`, { result: 'failed', reason: 'connect-timeout' });
        h.engine.answers.set(`${vm.id}/agent`, { result: 'failed', reason: 'connect-timeout' });
        h.engine.transition(`${vm.id}/liveness`, 'failed', 'connect-timeout');
        h.engine.transition(`${vm.id}/agent`, 'failed', 'connect-timeout');
      }
      await h.clock.advance(60_000);
      const unhold = { type: 'unhold', vm: null, author: 'ann' } as const;
      await h.supervisor.command(unhold, { vm: null, text: 'resumed', data: {} });
    });
    expect(kinds.filter((kind) => /^(brake|shared-cause) /.test(kind))).toEqual([
      'shared-cause shared-cause critical open',
      'brake brake critical open',
      'brake brake-released info close',
      'shared-cause shared-cause-over info close',
    ]);
  });

  it('of a person who resumes recovery: what was told of the VM is over unless it fails', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const resume = async () => {
      const unhold = { type: 'unhold', vm: web.id, author: 'ann' } as const;
      await h.supervisor.command(unhold, { vm: web.id, text: 'resumed', data: {} });
    };
    expect(await told(h, resume)).toEqual(['vm:test/web vm-resumed info close']);
    const kinds = await told(h, async () => {
      await die(h, web);
      await resume();
    });
    expect(kinds).toContain('vm:test/web failure error open');
    expect(kinds.filter((kind) => kind.endsWith('close'))).toEqual([]);
    const release = { type: 'release', vm: web.id, author: 'ann' } as const;
    const released = () => h.supervisor.command(release, { vm: web.id, text: 'released', data: {} });
    expect((await told(h, released)).filter((kind) => kind.endsWith('close'))).toEqual([]);
  });

  it.each([
    'unhold',
    'release',
  ] as const)('of an edit war: it outlives the failure, until %s', async (type) => {
    const stubborn = vmSpec('web', { recovery: { ...web.recovery, maxPer24h: 100 } });
    const h = new Harness();
    await h.startHealthy(stubborn);
    const fight = async () => {
      // Somebody stops the VMM again and again.
      for (let n = 0; n < 7; n++) {
        h.engine.answers.set(`${web.id}/vmm-process`, { result: 'failed', reason: 'process-stopped' });
        h.engine.transition(`${web.id}/vmm-process`, 'failed', 'process-stopped');
        await h.clock.advance(60_000);
        h.engine.answers.clear();
        await h.allOk(stubborn);
        await h.clock.advance(540_000);
      }
    };
    const person = () =>
      h.supervisor.command({ type, vm: web.id, author: 'ann' }, { vm: web.id, text: type, data: {} });
    const kinds = await told(h, async () => {
      await fight();
      await person();
      await fight();
      await person();
    });
    const own = 'edit-war:test/web';
    expect(kinds.filter((kind) => kind.startsWith('edit-war'))).toEqual([
      `${own} edit-war error open`,
      `${own} edit-war-over info close`,
      `${own} edit-war error open`,
      `${own} edit-war-over info close`,
    ]);
    expect(kinds.at(-1)).toMatch(/^vm:test\/web (vm-resumed|released) info close$/);
    expect(kinds.filter((kind) => kind === 'vm:test/web recovered info close').length).toBeGreaterThan(2);
  });

  it('of a VM that somebody stopped: nothing', async () => {
    const h = new Harness();
    await h.startHealthy(web);
    const kinds = await told(h, async () => {
      h.driver.emit(web, { type: 'shutdown', guest: true, reason: 'guest-shutdown' });
      await die(h, vmSpec('web', { runStrategy: 'RerunOnFailure' }));
    });
    expect(kinds.filter((kind) => kind.includes('failure') && kind.includes('critical'))).toEqual([]);
  });

  it('is in the guide: every kind with its severity, and no other', () => {
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (info|warning|error|critical) \|/gm)].map(
      ([, kind, severity]) => `${kind} ${severity}`,
    );
    const own = ['daemon-started info'];
    const rules = NOTICE_RULES.map(({ kind, severity }) => `${kind} ${severity}`);
    expect(rows.toSorted()).toEqual([...rules, ...own].toSorted());
  });
});
