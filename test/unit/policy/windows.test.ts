import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowField } from '../../../src/config/action-window.js';
import { intentsOf } from '../../../src/policy/index.js';
import { nextOpenMs } from '../../../src/policy/windows.js';
import { Stage, WEB } from './stage.js';

const window = (text: string) => windowField.parse(text);
const at = (text: string) => Date.parse(`${text}:00Z`);

describe('an action window', () => {
  // 2030-01-01 is a Tuesday.
  it.each([
    ['22:00-06:00', '2030-01-01T21:59', '2030-01-01T22:00'],
    ['22:00-06:00', '2030-01-01T23:30', null],
    ['22:00-06:00', '2030-01-02T05:59', null],
    ['22:00-06:00', '2030-01-02T06:00', '2030-01-02T22:00'],
    ['Sat 22:00-06:00', '2030-01-01T12:00', '2030-01-05T22:00'],
    ['Sat 22:00-06:00', '2030-01-06T05:00', null],
    ['Sat 22:00-06:00', '2030-01-06T22:30', '2030-01-12T22:00'],
    ['Sun 00:00-01:00', '2030-01-06T00:30', null],
    ['Mon-Wed 10:00-11:00', '2030-01-01T10:00', null],
    ['Mon-Wed 10:00-11:00', '2030-01-02T11:00', '2030-01-07T10:00'],
    ['Sat-Mon,Thu 10:00-11:00', '2030-01-01T12:00', '2030-01-03T10:00'],
    ['Fri-Mon 10:00-11:00', '2030-01-01T12:00', '2030-01-04T10:00'],
  ])('%s at %s opens at %s', (text, now, opens) => {
    expect(nextOpenMs([window(text)], at(now))).toBe(at(opens ?? now));
  });

  it('none at all is always open; of several the next counts', () => {
    expect(nextOpenMs([], at('2030-01-01T12:00'))).toBe(at('2030-01-01T12:00'));
    const two = [window('Sat 10:00-11:00'), window('13:00-14:00')];
    expect(nextOpenMs(two, at('2030-01-01T12:00'))).toBe(at('2030-01-01T13:00'));
  });

  it.each([
    '',
    'Sat',
    '25:00-26:00',
    '10:00-10:00',
    'Sab 10:00-11:00',
    '10:00 - 11:00',
    'Sat,22:00-06:00',
  ])('"%s" is none', (text) => expect(windowField.safeParse(text).success).toBe(false));

  it('opens within a week, never in the past, and is open when it opens', () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const anyWindow = fc
      .record({ days: fc.subarray([0, 1, 2, 3, 4, 5, 6]), fromMinute: minute, toMinute: minute })
      .filter((w) => w.fromMinute !== w.toMinute);
    fc.assert(
      fc.property(
        fc.array(anyWindow, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 4e12 }),
        (windows, now) => {
          const openMs = nextOpenMs(windows, now);
          expect(openMs).toBeGreaterThanOrEqual(now);
          expect(openMs - now).toBeLessThanOrEqual(7 * 86_400_000);
          expect(nextOpenMs(windows, openMs)).toBe(openMs);
        },
      ),
    );
  });
});

describe('scheduled maintenance', () => {
  const night = { actionWindows: [window('22:00-06:00')] };
  const schedule = (s: Stage) =>
    s.send({ type: 'schedule', vm: WEB, step: 'reboot', author: 'ada', reason: 'new kernel' });
  const HOUR = 3_600_000;

  it('waits for its window, is done once, and is charged to no budget', () => {
    const s = new Stage().healthy({ recovery: night });
    s.advance(12 * HOUR);
    schedule(s);
    expect(s.explain().holds).toMatchObject([{ rule: 'action-window', untilMs: at('2030-01-01T22:00') }]);
    expect(s.explain().next?.step).toBe('reboot');
    s.advance(10 * HOUR - 1);
    expect(s.steps).toEqual([]);
    s.advance(1);
    expect(s.steps).toEqual(['reboot']);
    expect(s.rules('act')).toEqual(['scheduled']);
    s.boot();
    s.allOk();
    s.advance(48 * HOUR);
    expect(s.steps).toEqual(['reboot']);
    expect(s.explain().budget).toMatchObject({ consecutiveUsed: 0, rolling24hUsed: 0 });
    expect(s.health()).toBe('healthy');
  });

  it('recovery goes on outside the window', () => {
    const s = new Stage().healthy({ recovery: night });
    s.advance(12 * HOUR);
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(s.steps).toEqual(['reset']);
  });

  it('waits while the VM is not well, or somebody holds', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: null, reason: 'drill', author: 'bob', untilMs: null });
    schedule(s);
    expect(s.steps).toEqual([]);
    s.vmm({ type: 'panicked', action: 'pause' });
    s.send({ type: 'unhold', vm: null, author: 'bob' });
    expect(s.steps).toEqual(['reset']);
    s.boot();
    s.allOk();
    expect(s.steps).toEqual(['reset']);
    s.advance(60_000);
    expect(s.steps).toEqual(['reset', 'reboot']);
  });

  it('is what a person wants, and can be withdrawn; it outlives the daemon', () => {
    const s = new Stage().healthy({ recovery: night });
    s.advance(12 * HOUR);
    schedule(s);
    expect(intentsOf(s.state)).toMatchObject([
      { vm: WEB, what: 'scheduled', author: 'ada', reason: 'reboot: new kernel' },
    ]);
    expect(s.restart().state.vms.get(WEB)?.scheduled).toEqual(s.state.vms.get(WEB)?.scheduled);
    s.send({ type: 'clear-intents', vm: WEB, author: 'bob' });
    s.advance(48 * HOUR);
    expect(s.steps).toEqual([]);
  });

  it('a step that its driver has not is said to be none', () => {
    const s = new Stage().healthy();
    s.send({ type: 'schedule', vm: WEB, step: 'cleanup', author: 'ada', reason: 'x' });
    expect(s.steps).toEqual([]);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['ladder-exhausted']);
  });

  it('only says what it would do where recovery is not enabled', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    schedule(s);
    expect(s.steps).toEqual([]);
  });
});
