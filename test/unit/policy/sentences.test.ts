import { describe, expect, it } from 'vitest';
import { RULES, type Rule } from '../../../src/policy/index.js';
import { endOf } from '../../../src/policy/rule-ends.js';
import { type Fresh, Stage, WEB } from './stage.js';

const DOWN: Fresh = {
  liveness: 'connection-refused',
  readiness: 'connection-refused',
  agent: 'ok',
  api: 'ok',
  process: 'ok',
};

/** The sentences, of which none may be there twice. */
function told(s: Stage, vm = WEB): string {
  const { sentences } = s.explain(vm);
  expect(new Set(sentences).size).toBe(sentences.length);
  return sentences.join('\n');
}

function times(text: string, what: string): number {
  return text.split(what).length - 1;
}

function serviceDown(s: Stage, vm = WEB): void {
  s.probe('liveness', 'failed', 'connection-refused', vm);
  if (s.asked?.vm === vm) s.answer(DOWN);
}

describe('what is said of a VM that is well', () => {
  it('has the holds under which nothing would be done, and how they end', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: WEB, reason: 'drill', author: 'ada', untilMs: s.now + 60_000 });
    s.send({ type: 'hold', vm: null, reason: 'move', author: 'bob', untilMs: null });
    const text = told(s);
    expect(text).toContain(
      'If it fails, nothing is done to it (rule person-hold): ada holds recovery of this VM since 2030-01-01T00:00:00.000Z: drill, until 2030-01-01T00:01:00.000Z (in 60 s).\n`vmpulse recovery resume --vm test/web` ends the hold.',
    );
    expect(text).toContain(
      'bob holds all recovery since 2030-01-01T00:00:00.000Z: move.\n`vmpulse recovery resume` ends the hold.',
    );
    expect(s.explain().holds.map(({ rule }) => rule)).toEqual(['person-hold', 'person-hold']);
  });

  it('has that recovery is not enabled, that an annotation is against it, or that it should be off', () => {
    const of = (options: Parameters<Stage['healthy']>[0]) => told(new Stage().healthy(options));
    expect(of({ recovery: { enabled: false } })).toContain('(rule observe-only): recovery is not enabled');
    expect(of({ mode: { kind: 'unmanaged', reason: 'vmpulse.dev/mode: unmanaged' } })).toContain(
      '(rule unmanaged): vmpulse.dev/mode: unmanaged.',
    );
    expect(of({ runStrategy: 'Halted' })).toMatch(/the VM should be off\.\nAnother run strategy/);
  });
});

describe('what is said of a step', () => {
  it('in flight: since when, until when at most, and what follows', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.advance(3_000);
    const text = told(s);
    expect(text).toContain(
      'Now: reset, which boots the guest anew, is being carried out since 2030-01-01T00:00:00.000Z (3 s); it is given up at 2030-01-01T00:01:00.000Z.\nIf that does not help, power-cycle, which boots the guest anew, comes next.',
    );
    expect(times(text, 'reset')).toBe(1);
    s.advance(90_000);
    expect(told(s)).toContain('it should have ended by 2030-01-01T00:01:00.000Z, and nothing else is done');
  });

  it('that is given time: which, until when, and what follows', () => {
    const s = new Stage().healthy();
    serviceDown(s);
    s.end();
    const text = told(s);
    expect(text).toContain(
      'Rule grace: restart-service, ended at 2030-01-01T00:00:00.000Z, is given time to work, until 2030-01-01T00:00:30.000Z (in 30 s).',
    );
    expect(text).toContain('If its health is not back then, reboot, which boots the guest anew, comes next.');
  });

  it('that let a stopped VMM go on: the next comes once it was stopped for long', () => {
    const s = new Stage().healthy();
    s.probe('process', 'failed', 'process-stopped');
    s.answer({ process: 'process-stopped' });
    s.end();
    expect(told(s)).toContain('comes next, not before 2030-01-01T00:00:58.000Z (in 58 s).');
  });

  it('that was the last of the budget: quarantine follows', () => {
    const s = new Stage().healthy({ recovery: { maxConsecutive: 1 } });
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(told(s)).toContain('If that does not help, it is quarantined, for its budget is used up.');
    s.boot();
    s.advance(2_000);
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(told(s)).toContain(
      'It fails of the same again.\nSeen at 2030-01-01T00:00:02.000Z by vmm-event: the guest panicked.',
    );
    expect(told(s)).toMatch(/Next: quarantine, at 2030-\S+ \(in \d+(\.\d)? s\), for its budget is used up\./);
    expect(s.explain().next?.text).toContain('it is quarantined instead');
    s.advance(20_000);
    const text = told(s);
    expect(text).toMatch(/Quarantined since 2030-\S+ \(rule budget-consecutive\): 1 recovery in a row/);
    expect(times(text, 'did not make it stable')).toBe(1);
    expect(text).toContain('`vmpulse vm release test/web` lets it out');
  });

  it('that a boot came before: the boot is what is waited for', () => {
    const s = new Stage().healthy();
    s.advance(10_000);
    s.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    expect(told(s)).toContain('Rule grace: its guest boots since 2030-01-01T00:00:10.000Z, until');
  });

  it('that would be the last in 24 hours: when the next is free', () => {
    const s = new Stage().healthy({ recovery: { maxPer24h: 1 } });
    s.vmm({ type: 'exited' });
    s.boot();
    s.allOk();
    s.advance(60_000);
    expect(told(s)).toContain(
      '1 of 1 in 24 hours are used; one is free again at 2030-01-02T00:00:00.000Z (in 24 h); the next failure quarantines it.',
    );
    s.vmm({ type: 'exited' });
    expect(told(s)).toContain('let out before that, its next failure quarantines it again.');
  });
});

describe('what is said of a VM that stands still or is off', () => {
  it('off: how that came, and that its probes are not asked', () => {
    const s = new Stage().healthy();
    s.advance(5_000);
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-signal' });
    s.vmm({ type: 'exited' });
    const text = told(s);
    expect(text).toContain('None of its probes is asked while it does not run.');
    expect(text).toContain('It ended at 2030-01-01T00:00:05.000Z: intended (operator-stop).');
    expect(text).toContain('by vmm-event: shut down from outside (host-signal).');
    expect(text).toContain('`vmpulse vm start test/web` or `vmpulse vm release test/web` does that.');
    expect(s.explain().probes.map(({ asked }) => asked)).toEqual(Array(5).fill(false));
    expect(s.explain().evidence.map(({ source }) => source)).toEqual(['vmm-event', 'process']);
  });

  it('paused: only its process is still watched', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'paused' });
    expect(told(s)).toContain('Its probes are suspended while it stands still.');
    expect(
      s
        .explain()
        .probes.filter(({ asked }) => asked)
        .map(({ name }) => name),
    ).toEqual(['process']);
    s.vmm({ type: 'resumed' });
    expect(s.explain().probes.every(({ asked }) => asked)).toBe(true);
  });
});

describe('what is said of VMs that fail together', () => {
  const IDS = ['test/a', 'test/b', 'test/c', 'test/d'];
  const fleet = (config: ConstructorParameters<typeof Stage>[0]) => {
    const s = new Stage(config);
    for (const id of IDS) {
      s.healthy({ id });
      s.attach({ vm: id, shares: ['bridge br0'] });
      s.allOk(id);
    }
    return s;
  };

  it('under the brake: who, since when, and when it goes on', () => {
    const s = fleet({ brakeMinVms: 2, brakeRatio: 0.5 });
    for (const id of ['test/a', 'test/b']) {
      s.probe('liveness', 'failed', 'connection-refused', id);
      s.advance(1_000);
    }
    const text = told(s, 'test/a');
    expect(text).toContain('Rule fleet-brake: too many VMs fail at once');
    expect(text).toContain(
      '2 of 4 VMs fail or are being recovered, the limit is 50 %: test/a since 2030-01-01T00:00:00.000Z, test/b since 2030-01-01T00:00:01.000Z.\nIt goes on once fewer do for 5 min.',
    );
    expect(text).toContain('`vmpulse recovery resume` ends it at once.');
    s.probe('liveness', 'ok', undefined, 'test/b');
    if (s.asked?.vm === 'test/b')
      s.answer({ liveness: 'ok', readiness: 'ok', agent: 'ok', api: 'ok', process: 'ok' });
    expect(told(s, 'test/d')).toMatch(/If it fails, nothing is done to it \(rule fleet-brake\)/);
  });

  it('in an incident: what they share, who, and when it goes on', () => {
    const s = fleet({ sharedCauseMinVms: 2 });
    for (const id of ['test/a', 'test/b']) s.probe('liveness', 'failed', 'connection-refused', id);
    const text = told(s, 'test/b');
    expect(text).toContain('Rule shared-cause: many VMs that share bridge br0 fail since');
    expect(text).toContain(
      '2 VMs that share bridge br0 fail now: test/a since 2030-01-01T00:00:00.000Z, test/b since 2030-01-01T00:00:00.000Z.\nIt goes on once fewer than 2 have failed for 5 min, or a single one for 30 s.',
    );
    expect(text).toContain('What its failure means is found out after that.');
  });
});

describe('what would change a rule', () => {
  /** Rules that only tell, or that hold something else than a step. */
  const TELLS =
    /^(health|diagnosis\/.*|ladder|host-booted|start-up|action-(result|unknown|overdue)|stable|healed|unheard|relapse|new-instance|probes-reset|boot-loop|force-reconcile|release|budget-.*|scheduled|intents|ignored)$/;
  const rules = Object.keys(RULES) as Rule[];

  it.each(rules.filter((rule) => !TELLS.test(rule)))('is known of %s', (rule) => {
    const vm = new Stage().healthy().state.vms.get(WEB);
    if (!vm) throw new Error('no VM');
    expect(endOf(rule, vm)).toMatch(/^[A-Z`].*\.$/);
    expect(endOf(rule, vm)).not.toContain('<vm>');
  });
});
