import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHostSigns, readOomKills } from '../../../src/runtime/host-signs.js';
import { OomWatch } from '../../../src/runtime/oom-watch.js';
import { pollHost } from '../../../src/runtime/poll-host.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const NONE = { shutdown: null, pressure: null, memory: null };
const NOW = Date.UTC(2030, 0, 1);
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmpulse-signs-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
}

const scheduled = (inMs: number) => `USEC=${(NOW + inMs) * 1000}\nWARN_WALL=1\nMODE=poweroff\n`;
const psi = (line: 'some' | 'full', avg10: number) =>
  `some avg10=${line === 'some' ? avg10 : 99.5} avg60=0.00 avg300=0.00 total=1\nfull avg10=${line === 'full' ? avg10 : 0} avg60=0.00 avg300=0.00 total=0\n`;

describe('what files of the host say', () => {
  it('nothing where there are none', () => expect(readHostSigns(NONE, NOW, root)).toEqual(NONE));

  it.each([
    [300_000, 'poweroff at 2030-01-01T00:05:00.000Z'],
    [-1_000, 'poweroff at 2029-12-31T23:59:59.000Z'],
    [300_001, null],
  ])('a shutdown planned in %i ms', (inMs, said) => {
    write('run/systemd/shutdown/scheduled', scheduled(inMs));
    expect(readHostSigns(NONE, NOW, root).shutdown).toBe(said);
  });

  it('a shutdown that has begun refuses logins', () => {
    write('run/nologin', 'System is going down.');
    expect(readHostSigns(NONE, NOW, root).shutdown).toBe('/run/nologin is there');
  });

  it.each([
    ['cpu', 'some', 90, null, 'cpu ≥ 90 %'],
    ['cpu', 'some', 94.2, 'cpu ≥ 90 %', 'cpu ≥ 90 %'],
    ['cpu', 'some', 89.99, null, null],
    ['cpu', 'some', 70, 'cpu ≥ 95 %', 'cpu ≥ 70 %'],
    ['cpu', 'some', 69, 'cpu ≥ 95 %', null],
    ['memory', 'some', 20.5, null, 'memory ≥ 20 %'],
    ['io', 'full', 41, null, 'io ≥ 40 %'],
    ['io', 'full', 39, null, null],
  ] as const)('pressure on %s: %s avg10=%d after %s', (what, line, avg10, before, said) => {
    write(`proc/pressure/${what}`, psi(line, avg10));
    expect(readHostSigns({ ...NONE, pressure: before }, NOW, root).pressure).toBe(said);
  });

  const meminfo = (available: number) =>
    `MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    ${available} kB\n`;
  it.each([
    [29, null, '< 3 % of it is available'],
    [30, null, null],
    [59, 'short', '< 6 % of it is available'],
    [60, 'short', null],
  ])('memory of which %i of 1000 are available after %s', (available, before, said) => {
    write('proc/meminfo', meminfo(available));
    expect(readHostSigns({ ...NONE, memory: before }, NOW, root).memory).toBe(said);
  });

  it('memory that all processes wait for is short', () => {
    write('proc/pressure/memory', psi('full', 15));
    expect(readHostSigns(NONE, NOW, root).memory).toBe('all processes waited for it ≥ 15 % of the time');
  });

  it('counts what the kernel ended for want of memory', () => {
    expect(readOomKills(root)).toBe(0);
    write('proc/vmstat', 'nr_free_pages 7\noom_kill 12\n');
    expect(readOomKills(root)).toBe(12);
  });

  it('damaged files say nothing', () => {
    write('proc/pressure/cpu', 'some avg10=lots');
    write('run/systemd/shutdown/scheduled', 'USEC=soon');
    expect(readHostSigns(NONE, NOW, root)).toEqual(NONE);
  });
});

describe('the watch of the host', () => {
  it('tells what changed, once, until it is stopped', async () => {
    const clock = new ManualClock();
    const posted: unknown[] = [];
    let shutdown: string | null = null;
    const watch = pollHost(() => ({ ...NONE, shutdown }), clock);
    const stop = watch((signs) => posted.push(signs));
    await clock.advance(10_000);
    expect(posted).toEqual([]);
    shutdown = 'now';
    await clock.advance(10_000);
    expect(posted).toEqual([{ ...NONE, shutdown: 'now' }]);
    stop();
    shutdown = null;
    await clock.advance(10_000);
    expect(posted).toHaveLength(1);
  });
});

describe('the watch for want of memory', () => {
  it('knows a kill that has just happened from one that is old', async () => {
    const clock = new ManualClock();
    let kills = 7;
    const watch = new OomWatch(() => kills, clock);
    watch.start();
    expect(watch.hasJustKilled()).toBe(false);
    kills += 1;
    expect(watch.hasJustKilled()).toBe(true);
    await clock.advance(6_000);
    expect(watch.hasJustKilled()).toBe(false);
    kills += 1;
    await clock.advance(8_000);
    expect(watch.hasJustKilled()).toBe(false);
    watch.stop();
  });
});
