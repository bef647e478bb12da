import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { VmSpec } from '../../../src/model/vm.js';
import type { PolicyEvent } from '../../../src/policy/types.js';
import type { HookPort } from '../../../src/runtime/hooks/hook-views.js';
import type { HookReason } from '../../../src/runtime/hooks/occasion.js';
import { startVm, stopVm } from '../../../src/runtime/vm-verbs.js';
import { settle } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const web = vmSpec('web');

/** Hooks that are only told. */
class Told implements HookPort {
  readonly calls: string[] = [];
  refusal: string | undefined;
  /** What others do while a pre-start hook runs. */
  meanwhile: () => Promise<unknown> = async () => {};

  async beforeStart(vm: VmSpec, why: HookReason): Promise<string | undefined> {
    this.calls.push(`pre-start ${vm.name}: ${why.reason}`);
    await this.meanwhile();
    return this.refusal;
  }

  async beforeStop(vm: VmSpec, why: HookReason): Promise<void> {
    this.calls.push(`pre-stop ${vm.name}: ${why.reason}`);
  }

  note(event: string, vm: VmSpec, why: HookReason): void {
    this.calls.push(`${event} ${vm.name}: ${why.reason}`);
  }
}

function vanish(h: Harness): Promise<void> {
  h.driver.vanish(web);
  h.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
  return h.clock.advance(100);
}

const person = { vm: web.id, author: 'ann@1000', reason: 'firmware', deadlineMs: 60_000 } as const;

describe('hooks of a VM', () => {
  it('are told of a failure, of the start that heals it, and of the recovery', async () => {
    const hooks = new Told();
    const h = new Harness({ hooks });
    await h.startHealthy(web);
    await vanish(h);
    expect(h.steps()).toEqual(['start']);
    await h.allOk(web);
    await h.clock.advance(web.recovery.stableForMs + 1000);
    const dead = 'vmm-dead/process-gone';
    expect(hooks.calls).toEqual([
      'post-stop web: ended by itself',
      `on-failure web: ${dead}`,
      `pre-start web: ${dead}`,
      `post-start web: ${dead}`,
      `on-recovery web: ${dead}`,
    ]);
  });

  it('keep a recovery back, which is explained, costs no budget and is tried again', async () => {
    const hooks = new Told();
    hooks.refusal = 'pre-start hook /x: exit status 1: ERROR: Shared storage not mounted';
    const h = new Harness({ hooks });
    await h.startHealthy(web);
    await vanish(h);
    expect(h.driver.calls.filter((call) => call.startsWith('start'))).toEqual([]);
    expect(h.explain(web).holds).toMatchObject([{ rule: 'pre-start', text: hooks.refusal }]);
    expect(h.explain(web).budget).toMatchObject({ consecutiveUsed: 0, rolling24hUsed: 0 });
    await h.supervisor.recorder.settled();
    const entries = await h.journal.read({ limit: 200 });
    expect(entries.map(({ text }) => text)).toContain(`start held: ${hooks.refusal}`);
    const asked = () => hooks.calls.filter((call) => call.startsWith('pre-start')).length;
    await h.clock.advance(web.recovery.backoff.capMs * 4);
    expect(asked()).toBeGreaterThan(3);
    expect(h.explain(web).health).not.toBe('quarantined');
    hooks.refusal = undefined;
    await h.clock.advance(web.recovery.backoff.capMs * 2);
    expect(h.driver.processOf(web)).toBeDefined();
    expect(h.explain(web).holds.map(({ rule }) => rule)).not.toContain('pre-start');
  });

  it('keep a guest from being ended for a start that may not be made', async () => {
    const hooks = new Told();
    hooks.refusal = 'pre-start hook /x: exit status 1';
    const h = new Harness({ hooks });
    await h.startHealthy(web);
    // Reset does not help a panicked guest for ever: the ladder comes to the power cycle.
    for (let n = 0; n < 8 && !hooks.calls.some((call) => call.startsWith('pre-start')); n++) {
      h.driver.emit(web, { type: 'panicked', action: 'pause' });
      await h.clock.advance(web.recovery.backoff.capMs + web.recovery.graceMaxMs);
    }
    expect(hooks.calls.some((call) => call.startsWith('pre-start'))).toBe(true);
    expect(h.driver.calls.filter((call) => call.startsWith('stop'))).toEqual([]);
    expect(h.driver.processOf(web)).toBeDefined();
  });

  it('are asked before a start at start-up, too', async () => {
    const hooks = new Told();
    const h = new Harness({ hooks });
    await h.supervisor.start([web]);
    await h.clock.advance(1000);
    expect(hooks.calls).toEqual(['pre-start web: start-up', 'post-start web: start-up']);
  });

  it('are asked before what a person has done, once each', async () => {
    const hooks = new Told();
    const h = new Harness({ hooks });
    await h.startHealthy(web);
    const exits = () => h.engine.transition('test/web/vmm-process', 'failed', 'process-gone');
    const stopped = h.supervisor.act({ ...person, id: 'a', verb: 'stop' }, async (target, deadline) => {
      const text = stopVm(target, 'force', deadline);
      await settle();
      exits();
      return text;
    });
    await h.clock.advance(100);
    await stopped;
    expect(hooks.calls).toEqual(['pre-stop web: stop for ann@1000', 'post-stop web: stop for ann@1000']);
    hooks.calls.length = 0;
    hooks.refusal = 'pre-start hook /x: exit status 1';
    const refused = h.supervisor.act({ ...person, id: 'b', verb: 'start' }, startVm);
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_VMPULSE_HOOK',
      message: 'test/web is not started: pre-start hook /x: exit status 1',
    });
    hooks.refusal = undefined;
    const twice = h.supervisor.act({ ...person, id: 'c', verb: 'start' }, async (target, deadline) => {
      await target.beforeStart(deadline);
      return startVm(target, deadline);
    });
    await twice;
    const start = 'start for ann@1000';
    expect(hooks.calls).toEqual([
      `pre-start web: ${start}`,
      `pre-start web: ${start}`,
      `post-start web: ${start}`,
    ]);
    const runs = await h.supervisor.act({ ...person, id: 'd', verb: 'start' }, startVm);
    expect(runs).toBe('it runs already');
    expect(hooks.calls).toHaveLength(3);
  });
});

function holdFile(): string {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-hold-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'hold');
}

/** Has a person say something to the policy. */
const say = (h: Harness, event: PolicyEvent) =>
  h.supervisor.command(event, { vm: null, text: event.type, data: {} });

const held = { reason: 'firmware', author: 'ann', untilMs: null } as const;

describe('what holds recovery only after the policy has decided', () => {
  const WAYS: Readonly<Record<string, readonly [(h: Harness, file: string) => Promise<unknown>, string]>> = {
    'a hold on the VM': [
      (h) => say(h, { type: 'hold', vm: web.id, ...held }),
      'ann holds recovery of this VM',
    ],
    'a hold on all': [(h) => say(h, { type: 'hold', vm: null, ...held }), 'ann holds all recovery'],
    maintenance: [
      (h) => say(h, { type: 'maintenance', vm: web.id, author: 'ann', begin: held }),
      'ann works on it',
    ],
    'the hold file': [async (_h, file) => writeFileSync(file, 'switch maintenance\n'), 'switch maintenance'],
    'the VM that is not watched any more': [(h) => h.supervisor.apply([]), 'it is not watched any more'],
  };

  it.each(Object.entries(WAYS))('%s is heeded after a hook has run', async (_name, [hold, why]) => {
    const hooks = new Told();
    const file = holdFile();
    const h = new Harness({ hooks, holdFile: file });
    hooks.meanwhile = () => hold(h, file);
    await h.startHealthy(web);
    await vanish(h);
    expect(hooks.calls).toContain('pre-start web: vmm-dead/process-gone');
    expect(h.driver.calls.filter((call) => call.startsWith('start'))).toEqual([]);
    await h.supervisor.recorder.settled();
    const texts = (await h.journal.read({ limit: 200 })).map(({ text }) => text);
    expect(texts.filter((text) => text.startsWith('start held: ') && text.includes(why))).toHaveLength(1);
    expect(texts.filter((text) => text.startsWith('start begins'))).toEqual([]);
    const { budget } = h.supervisor.state.vms.get(web.id) ?? {};
    expect(budget).toMatchObject({ consecutive: 0, rolling: [] });
  });

  it('a veto is asked again after a hook has run', async () => {
    const hooks = new Told();
    const verdicts = [{ allow: true } as const, { hold: 'the cluster moves it' }];
    const h = new Harness({ hooks, beforeAction: () => verdicts.shift() ?? { hold: 'still' } });
    await h.startHealthy(web);
    await vanish(h);
    expect(h.driver.calls.filter((call) => call.startsWith('start'))).toEqual([]);
    expect(h.explain(web).holds).toMatchObject([{ text: 'beforeAction: the cluster moves it' }]);
  });

  it('a hold that comes while a veto is thought about is heeded just before the act', async () => {
    const asked: string[] = [];
    const h: Harness = new Harness({
      beforeAction: async ({ step }) => {
        asked.push(step);
        await say(h, { type: 'hold', vm: web.id, ...held });
        return { allow: true };
      },
    });
    await h.startHealthy(web);
    await vanish(h);
    expect(asked).toEqual(['start']);
    expect(h.driver.calls.filter((call) => call.startsWith('start'))).toEqual([]);
    expect(h.explain(web).holds.map(({ rule }) => rule)).toContain('person-hold');
    await say(h, { type: 'unhold', vm: web.id, author: 'ann' });
  });

  it('a hold whose time is over holds nothing', async () => {
    const hooks = new Told();
    const h: Harness = new Harness({ hooks });
    hooks.meanwhile = () =>
      say(h, { type: 'hold', vm: web.id, ...held, untilMs: h.clock.now() }).then(() => h.clock.advance(1));
    await h.startHealthy(web);
    await vanish(h);
    await h.clock.advance(1000);
    expect(h.driver.processOf(web)).toBeDefined();
  });
});
