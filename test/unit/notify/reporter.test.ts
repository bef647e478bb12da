import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { StoredJournalEntry } from '../../../src/model/ports.js';
import { Reporter } from '../../../src/notify/reporter.js';
import { secretReader } from '../../../src/notify/secret.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { FakeRuntime } from '../daemon/fake-runtime.js';
import { Sink } from './sink.js';

const PATIENCE = { timeout: 20_000, interval: 5 };

interface Body {
  readonly vms: readonly { readonly id: string; readonly health: string }[];
  readonly events: readonly { readonly seq: number }[];
  readonly more: boolean;
  readonly throughSeq: number;
}

function entries(
  from: number,
  to: number,
  type: StoredJournalEntry['type'] = 'decision',
): StoredJournalEntry[] {
  return Array.from({ length: to - from + 1 }, (_, n) => ({
    seq: from + n,
    atMs: n,
    vm: null,
    type,
    actionId: null,
    text: 'x',
    data: { secret: 'not told' },
  }));
}

async function world(sink: Sink, options: { stateDir?: string; clock?: ManualClock } = {}) {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'vmpulse-report-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  const token = join(stateDir, 'token');
  writeFileSync(token, 't0ken\n');
  const clock = options.clock ?? new ManualClock();
  const runtime = new FakeRuntime();
  const degraded = new Map<string, string>();
  const reporter = new Reporter({
    settings: {
      url: `http://127.0.0.1:${sink.port}/v1/heartbeat`,
      token: { file: token },
      intervalMs: 30_000,
    },
    stateDir,
    runtime,
    clock,
    secret: secretReader(() => undefined),
    degrade: (what, why) => void degraded.set(what, why),
    mend: (what) => void degraded.delete(what),
    onDelivery: () => {},
  });
  onTestFinished(() => reporter.close());
  const until = (check: () => void, byMs = 1000) =>
    vi.waitFor(async () => {
      await clock.advance(byMs);
      check();
    }, PATIENCE);
  const bodies = () => sink.bodies as Body[];
  const keys = () => sink.received.map(({ headers }) => headers['idempotency-key']);
  return { reporter, runtime, clock, stateDir, token, degraded, until, bodies, keys };
}

describe('the report to a control plane', () => {
  it('tells how the host is at every interval, and each event once', async () => {
    const sink = await Sink.open();
    const { reporter, runtime, until, bodies } = await world(sink);
    runtime.entries = [...entries(1, 3), ...entries(4, 4, 'input')];
    await reporter.start();
    await until(() => expect(sink.received).toHaveLength(1));
    expect(sink.received[0]?.headers.authorization).toBe('Bearer t0ken');
    expect(bodies()[0]).toMatchObject({
      version: 1,
      host: 'host-1',
      vms: [{ id: 'default/web-1', health: 'healthy' }, { id: 'lab/db' }],
      events: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
      throughSeq: 4,
    });
    expect(sink.received[0]?.text).not.toContain('not told');
    runtime.entries.push(...entries(5, 5));
    await until(() => expect(sink.received).toHaveLength(2), 5000);
    expect(bodies()[1]?.events).toMatchObject([{ seq: 5 }]);
    await until(() => expect(sink.received).toHaveLength(3), 5000);
    expect(bodies()[2]).toMatchObject({ events: [], throughSeq: 5 });
  });

  it('is sent again under its key until it is acknowledged, also by the next daemon, and loses no event', async () => {
    const sink = await Sink.open();
    sink.answer = () => ({ status: 400 });
    const first = await world(sink);
    first.runtime.entries = entries(1, 2);
    await first.reporter.start();
    await first.until(() => expect(sink.received.length).toBeGreaterThanOrEqual(3), 10_000);
    expect(new Set(first.keys()).size).toBe(1);
    expect(first.degraded.get('report')).toContain('answered with status 400');
    expect(first.reporter.waiting).toBe(1);
    await first.reporter.close();
    const before = sink.received.length;
    sink.answer = () => ({ status: 200 });
    const next = await world(sink, { stateDir: first.stateDir, clock: first.clock });
    next.runtime.entries = entries(1, 4);
    await next.reporter.start();
    await next.until(() => expect(sink.received.length).toBeGreaterThanOrEqual(before + 2), 10_000);
    expect(next.keys()[before]).toBe(first.keys()[0]);
    const told = next
      .bodies()
      .slice(before, before + 2)
      .map(({ events }) => events.map(({ seq }) => seq));
    expect(told).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(next.degraded.has('report')).toBe(false);
    await next.until(() => expect(next.reporter.waiting).toBe(0), 0);
  });

  it('comes at once while more of the journal waits than one takes', async () => {
    const sink = await Sink.open();
    const { reporter, runtime, until, bodies } = await world(sink);
    runtime.entries = entries(1, 1200);
    await reporter.start();
    await until(() => expect(sink.received).toHaveLength(3), 100);
    expect(bodies().map(({ events, more }) => [events.length, more])).toEqual([
      [500, true],
      [500, true],
      [200, false],
    ]);
  });

  it('says what is wrong with its token without telling it, and reads it again', async () => {
    const sink = await Sink.open();
    const { reporter, token, degraded, until } = await world(sink);
    rmSync(token);
    await reporter.start();
    await until(() => expect(degraded.get('report')).toContain(`${token} cannot be read: ENOENT`));
    writeFileSync(token, 'another\n');
    await until(() => expect(sink.received).toHaveLength(1), 5000);
    expect(sink.received[0]?.headers.authorization).toBe('Bearer another');
  });
});
