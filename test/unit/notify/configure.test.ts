import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import type { NotifyChannel, NotifySettings } from '../../../src/model/notification.js';
import { Notifier } from '../../../src/notify/notifier.js';
import { secretReader } from '../../../src/notify/secret.js';
import { FakeRuntime } from '../daemon/fake-runtime.js';
import { Sink } from './sink.js';

const PATIENCE = { timeout: 30_000, interval: 20 };

function channel(name: string, sink: Sink, more: Partial<NotifyChannel> = {}): NotifyChannel {
  const way = { kind: 'webhook', url: `http://127.0.0.1:${sink.port}/` } as const;
  return { name, level: 'warnings', vms: [], way, ...more };
}

const settings = (...channels: NotifyChannel[]): NotifySettings => ({ groupMs: 20, perHour: 1000, channels });

async function notifierWith(...channels: NotifyChannel[]) {
  const stateDir = mkdtempSync(join(tmpdir(), 'vmpulse-notify-'));
  const runtime = new FakeRuntime();
  const degraded = new Map<string, string>();
  const waiting = new Map<string, () => number>();
  const notifier = new Notifier({
    settings: settings(...channels),
    stateDir,
    host: 'kvm-3',
    runtime,
    clock: systemClock,
    secret: secretReader(() => undefined),
    degrade: (what, why) => void degraded.set(what, why),
    mend: (what) => void degraded.delete(what),
    record: async () => {},
    onDelivery: () => {},
    onOpened: (name, size) => void waiting.set(name, size),
    onRemoved: (name) => void waiting.delete(name),
  });
  onTestFinished(async () => {
    await notifier.close();
    rmSync(stateDir, { recursive: true, force: true });
  });
  await notifier.start();
  const fail = (vm: string) => {
    const data = { kind: 'diagnosis', rule: 'diagnosis/guest-hung' };
    runtime.emit({ vm, type: 'decision', text: 'guest-hung (guest-panicked): panic', data });
  };
  return { notifier, stateDir, degraded, waiting, fail };
}

describe('new settings of notifications', () => {
  it('open channels, close those that are gone, and leave the others as they are', async () => {
    const [stays, goes, comes] = [await Sink.open(), await Sink.open(), await Sink.open()];
    goes.answer = () => 'reset';
    const here = await notifierWith(channel('stays', stays), channel('goes', goes));
    here.fail('default/web-1');
    await vi.waitFor(() => expect(stays.received).toHaveLength(1), PATIENCE);
    await vi.waitFor(() => expect(here.degraded.has('notify/goes')).toBe(true), PATIENCE);
    const spool = join(here.stateDir, 'notify', 'spool', 'goes');
    expect(existsSync(spool)).toBe(true);
    await here.notifier.configure(settings(channel('stays', stays), channel('comes', comes)));
    expect(here.notifier.list().map(({ name }) => name)).toEqual(['stays', 'comes']);
    expect([...here.waiting.keys()]).toEqual(['stays', 'comes']);
    expect(here.degraded.has('notify/goes')).toBe(false);
    expect(existsSync(spool)).toBe(false);
    const before = goes.received.length;
    here.fail('lab/db');
    await vi.waitFor(() => expect(stays.received).toHaveLength(2), PATIENCE);
    await vi.waitFor(() => expect(comes.received).toHaveLength(1), PATIENCE);
    expect(goes.received).toHaveLength(before);
  });

  it('send what waits to the new target, and keep to the new level', async () => {
    const [wrong, right] = [await Sink.open(), await Sink.open()];
    wrong.answer = () => 'reset';
    const here = await notifierWith(channel('ops', wrong));
    here.fail('default/web-1');
    await vi.waitFor(() => expect(wrong.received.length).toBeGreaterThan(0), PATIENCE);
    await here.notifier.configure(settings(channel('ops', right, { vms: ['default/*'] })));
    await vi.waitFor(() => expect(right.received).toHaveLength(1), PATIENCE);
    expect(right.received[0]?.text).toContain('default/web-1');
    here.fail('lab/db');
    here.fail('default/web-2');
    await vi.waitFor(() => expect(right.received).toHaveLength(2), PATIENCE);
    expect(right.received[1]?.text).toContain('default/web-2');
    expect(right.received[1]?.text).not.toContain('lab/db');
  }, 60_000);

  it('cannot have the name of a channel that was added', async () => {
    const [added, sink] = [await Sink.open(), await Sink.open()];
    const here = await notifierWith();
    const way = { kind: 'webhook', url: `http://127.0.0.1:${added.port}/` } as const;
    await here.notifier.add({ name: 'chat', level: 'all', vms: [], way }, 'ann@1000');
    expect(here.notifier.problemOf(settings(channel('chat', sink)))).toMatch(
      /there is a channel chat already .*vmpulse notify remove/,
    );
    expect(here.notifier.problemOf(settings(channel('other', sink)))).toBeUndefined();
  });
});
