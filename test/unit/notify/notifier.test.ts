import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Clock, systemClock } from '../../../src/model/clock.js';
import type { NotifyChannel, NotifySettings } from '../../../src/model/notification.js';
import { Notifier } from '../../../src/notify/notifier.js';
import { secretReader } from '../../../src/notify/secret.js';
import type { RuntimeEvent } from '../../../src/runtime/views.js';
import { settle } from '../../fakes/manual-clock.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeRuntime, vmView } from '../daemon/fake-runtime.js';
import { Sink } from './sink.js';

const PATIENCE = { timeout: 20_000, interval: 20 };

function webhook(sink: Sink, more: Partial<NotifyChannel> = {}): NotifyChannel {
  const way = { kind: 'webhook', url: `http://127.0.0.1:${sink.port}/` } as const;
  return { name: 'hook', level: 'warnings', vms: [], way, ...more };
}

interface Body {
  readonly id: string;
  readonly severity: string;
  readonly incidents: readonly {
    readonly id: string;
    readonly vm: string | null;
    readonly isOver: boolean;
    readonly notices: readonly { readonly kind: string; readonly text: string }[];
  }[];
}

async function world(settings: Partial<NotifySettings>, stateDir = testFolder(), clock: Clock = systemClock) {
  const runtime = new FakeRuntime();
  const degraded = new Map<string, string>();
  const deliveries: string[] = [];
  const recorded: string[] = [];
  const waiting = new Map<string, () => number>();
  const notifier = new Notifier({
    settings: { groupMs: 50, perHour: 1000, channels: [], ...settings },
    stateDir,
    host: 'kvm-3',
    runtime,
    clock,
    secret: secretReader(() => undefined),
    degrade: (what, why) => void degraded.set(what, why),
    mend: (what) => void degraded.delete(what),
    record: async (text, data) => void recorded.push(`${text} ${JSON.stringify(data)}`),
    onDelivery: (channel, result) => deliveries.push(`${channel} ${result}`),
    onOpened: (channel, size) => void waiting.set(channel, size),
    onRemoved: (channel) => void waiting.delete(channel),
  });
  onTestFinished(() => notifier.close());
  await notifier.start();
  let id = 0;
  const emit = (vm: string | null, type: RuntimeEvent['type'], text: string, data: Record<string, unknown>) =>
    runtime.emit({ id: ++id, atMs: Date.now(), vm, type, text, data });
  const fail = (vm: string, text = 'guest-hung (guest-panicked): panic') =>
    emit(vm, 'decision', text, { kind: 'diagnosis', rule: 'diagnosis/guest-hung' });
  const begin = (vm: string) => emit(vm, 'action-start', 'reset begins', {});
  const recover = (vm: string) => emit(vm, 'decision', 'healthy', { kind: 'recovered', rule: 'stable' });
  return { runtime, notifier, stateDir, degraded, deliveries, recorded, waiting, emit, fail, begin, recover };
}

const bodies = (sink: Sink) => sink.bodies as Body[];
const kindsOf = (body: Body | undefined) =>
  body?.incidents.map(({ vm, notices }) => [vm ?? 'host', ...notices.map(({ kind }) => kind)].join(' '));

describe('notifications', () => {
  it('group what comes together, by incident, and tell the end to who heard of the beginning', async () => {
    const sink = await Sink.open();
    const all = await Sink.open();
    const channels = [webhook(sink), webhook(all, { name: 'everything', level: 'all' })];
    const { fail, begin, recover } = await world({ channels });
    fail('default/web-1');
    begin('default/web-1');
    fail('lab/db');
    fail('lab/db');
    await vi.waitFor(() => expect(sink.received).toHaveLength(1), PATIENCE);
    expect(kindsOf(bodies(sink)[0])).toEqual(['default/web-1 failure', 'lab/db failure']);
    expect(bodies(sink)[0]?.severity).toBe('error');
    await vi.waitFor(() => expect(all.received).toHaveLength(1), PATIENCE);
    expect(kindsOf(bodies(all)[0])?.[0]).toBe('default/web-1 failure recovery-begun');
    recover('default/web-1');
    await vi.waitFor(() => expect(sink.received).toHaveLength(2), PATIENCE);
    const [first, second] = bodies(sink);
    expect(second?.incidents).toMatchObject([{ vm: 'default/web-1', isOver: true }]);
    expect(second?.incidents[0]?.id).toBe(first?.incidents[0]?.id);
    // It fails anew: that is another incident.
    fail('default/web-1');
    await vi.waitFor(() => expect(sink.received).toHaveLength(3), PATIENCE);
    expect(bodies(sink)[2]?.incidents[0]?.id).not.toBe(first?.incidents[0]?.id);
  });

  it('keep to the level and the VMs of a channel', async () => {
    const [web, critical, fence] = [await Sink.open(), await Sink.open(), await Sink.open()];
    const { fail, emit } = await world({
      channels: [
        webhook(web, { name: 'web', vms: ['default/web-*'] }),
        webhook(critical, { name: 'critical', level: 'critical' }),
        webhook(fence, { name: 'fence' }),
      ],
    });
    fail('lab/db');
    emit(null, 'decision', 'recovery of all holds', { kind: 'hold', rule: 'fleet-brake' });
    fail('default/web-1');
    await vi.waitFor(() => expect(fence.received).toHaveLength(1), PATIENCE);
    await vi.waitFor(() => expect(critical.received).toHaveLength(1), PATIENCE);
    await vi.waitFor(() => expect(web.received).toHaveLength(1), PATIENCE);
    expect(kindsOf(bodies(fence)[0])).toEqual(['host brake', 'lab/db failure', 'default/web-1 failure']);
    expect(kindsOf(bodies(critical)[0])).toEqual(['host brake']);
    expect(kindsOf(bodies(web)[0])).toEqual(['default/web-1 failure']);
  });

  it('outlive the daemon: what was not delivered, and which incidents are open', async () => {
    const sink = await Sink.open();
    sink.answer = () => 'reset';
    const channels = [webhook(sink)];
    const first = await world({ channels });
    first.fail('default/web-1');
    await vi.waitFor(() => expect(first.deliveries).toEqual(['hook failed']), PATIENCE);
    expect(first.degraded.get('notify/hook')).toContain('cannot be reached');
    expect(first.notifier.list()).toMatchObject([{ name: 'hook', waiting: 1, trouble: expect.any(String) }]);
    first.fail('lab/db');
    const gathered = join(first.stateDir, 'notify', 'incidents.json');
    await vi.waitFor(() => expect(readFileSync(gathered, 'utf8')).toContain('lab/db'), PATIENCE);
    await first.notifier.close();
    const spool = join(first.stateDir, 'notify', 'spool', 'hook');
    expect(readdirSync(spool)).toHaveLength(2);
    sink.answer = () => ({ status: 200 });
    const sentBefore = sink.received.length;
    const next = await world({ channels }, first.stateDir);
    next.recover('default/web-1');
    await vi.waitFor(() => expect(sink.received.length).toBeGreaterThanOrEqual(sentBefore + 3), PATIENCE);
    const after = bodies(sink).slice(sentBefore);
    const told = after.map((body) => kindsOf(body));
    expect(told).toContainEqual(['lab/db failure']);
    expect(told).toContainEqual(['default/web-1 recovered']);
    expect(told).toContainEqual(['default/web-1 failure']);
    // The same message has the same id.
    const [failed] = bodies(sink);
    expect(after.map(({ id }) => id)).toContain(failed?.id);
    await vi.waitFor(() => expect(readdirSync(spool)).toEqual([]), PATIENCE);
  }, 60_000);

  it('tell with what a daemon begins that is held', async () => {
    const sink = await Sink.open();
    const { notifier, runtime } = await world({ channels: [webhook(sink)] });
    runtime.holds = [{ vm: null, reason: 'firmware', author: 'ann@1000', untilMs: null }];
    runtime.vms = [vmView('default/web-1', { health: 'quarantined' })];
    notifier.announce();
    await vi.waitFor(() => expect(sink.received).toHaveLength(1), PATIENCE);
    expect(bodies(sink)[0]).toMatchObject({ severity: 'warning' });
    expect(bodies(sink)[0]?.incidents[0]?.notices[0]?.text).toContain(
      'recovery of all VMs is held: firmware; 1 VMs are quarantined',
    );
  });

  it('can be added, tried and removed; a secret URL is kept in a file and shown nowhere', async () => {
    const sink = await Sink.open();
    const { notifier, stateDir, fail, recorded } = await world({});
    const slack = { kind: 'slack', url: `http://127.0.0.1:${sink.port}/services/s3cret` } as const;
    const added = await notifier.add(
      { name: 'chat', level: 'errors', vms: ['default/web-1'], way: slack },
      'ann@1000',
    );
    expect(JSON.stringify(added)).not.toContain('s3cret');
    expect(recorded).toEqual([expect.stringMatching(/^channel chat \(slack, errors\) added by ann@1000 /)]);
    expect(recorded.join()).not.toContain('s3cret');
    expect(readFileSync(join(stateDir, 'notify', 'channels.json'), 'utf8')).not.toContain('s3cret');
    const secret = join(stateDir, 'notify', 'secrets', 'chat');
    expect(statSync(secret).mode & 0o777).toBe(0o600);
    expect(await notifier.test('chat')).toMatchObject([{ channel: 'chat', result: 'sent' }]);
    fail('default/web-1');
    await vi.waitFor(() => expect(sink.received).toHaveLength(2), PATIENCE);
    expect(sink.received[1]?.url).toBe('/services/s3cret');
    await expect(notifier.add({ name: 'chat', level: 'all', vms: [], way: slack }, 'ann')).rejects.toThrow(
      /a channel chat already/,
    );
    const mail = { kind: 'email', to: ['a@example.com'] } as const;
    await expect(notifier.add({ name: 'mail', level: 'all', vms: [], way: mail }, 'ann')).rejects.toThrow(
      /notifications\.smtp/,
    );
    await notifier.close();
    const next = await world({}, stateDir);
    expect(next.notifier.list()).toMatchObject([{ name: 'chat', level: 'errors', origin: 'added' }]);
    sink.answer = () => ({ status: 500 });
    const [tested] = await next.notifier.test(undefined);
    expect(tested).toMatchObject({ result: 'failed' });
    expect(tested?.text).not.toContain('s3cret');
    await next.notifier.remove('chat', 'bob');
    expect(existsSync(secret)).toBe(false);
    await expect(next.notifier.remove('chat', 'bob')).rejects.toThrow(/no channel chat was added/);
    await expect(next.notifier.test(undefined)).rejects.toThrow(/there is no channel/);
  });

  it('of a channel that was removed do not go to the next one of its name', async () => {
    const [old, next] = [await Sink.open(), await Sink.open()];
    old.answer = () => ({ status: 503 });
    // Long enough for what is gathered to be written before it is spooled.
    const { notifier, stateDir, fail, deliveries, degraded, waiting } = await world({ groupMs: 3_000 });
    const add = ({ port }: Sink) => {
      const way = { kind: 'webhook', url: `http://127.0.0.1:${port}/` } as const;
      return notifier.add({ name: 'chat', level: 'errors', vms: [], way }, 'ann');
    };
    await add(old);
    fail('default/spooled');
    await vi.waitFor(() => expect(deliveries).toEqual(['chat failed']), PATIENCE);
    expect(waiting.get('chat')?.()).toBe(1);
    fail('default/gathered');
    await vi.waitFor(
      () =>
        expect(readFileSync(join(stateDir, 'notify', 'incidents.json'), 'utf8')).toContain(
          '"channel":"chat"',
        ),
      PATIENCE,
    );
    await notifier.remove('chat', 'ann');
    expect(existsSync(join(stateDir, 'notify', 'spool', 'chat'))).toBe(false);
    expect(degraded.has('notify/chat')).toBe(false);
    expect(waiting.has('chat')).toBe(false);
    await add(next);
    fail('default/new');
    await vi.waitFor(() => expect(next.received).toHaveLength(1), PATIENCE);
    expect(kindsOf(bodies(next)[0])).toEqual(['default/new failure']);
    await notifier.close();
    expect(readFileSync(join(stateDir, 'notify', 'incidents.json'), 'utf8')).not.toContain(
      '"channel":"chat"',
    );
  });

  it('go to the other channels where one cannot be opened, and to that one once it can', async () => {
    const [sink, other] = [await Sink.open(), await Sink.open()];
    const stateDir = testFolder();
    mkdirSync(join(stateDir, 'notify', 'spool'), { recursive: true });
    const inTheWay = join(stateDir, 'notify', 'spool', 'first');
    writeFileSync(inTheWay, '');
    const channels = [webhook(sink, { name: 'first' }), webhook(other, { name: 'second' })];
    const { fail, degraded } = await world({ channels }, stateDir);
    expect(degraded.get('notify/first')).toMatch(/^what waits for it cannot be read: /);
    fail('default/web-1');
    await vi.waitFor(() => expect(other.received).toHaveLength(1), PATIENCE);
    expect(sink.received).toHaveLength(0);
    rmSync(inTheWay);
    await vi.waitFor(() => expect(sink.received).toHaveLength(1), PATIENCE);
    expect(kindsOf(bodies(sink)[0])).toEqual(['default/web-1 failure']);
    expect(degraded.has('notify/first')).toBe(false);
  });

  it('of a first start are no trouble', async () => {
    const { degraded, stateDir, notifier } = await world({});
    expect([...degraded]).toEqual([]);
    const file = join(stateDir, 'notify', 'incidents.json');
    const { mtimeMs } = statSync(file);
    // Nothing is open and nobody is to be told: there is nothing to write.
    notifier.announce();
    await notifier.close();
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
  });

  it('for a channel that is not configured any more are forgotten', async () => {
    const sink = await Sink.open();
    const first = await world({ groupMs: 60_000, channels: [webhook(sink)] });
    first.fail('default/web-1');
    const gathered = join(first.stateDir, 'notify', 'incidents.json');
    await vi.waitFor(() => expect(readFileSync(gathered, 'utf8')).toContain('"channel":"hook"'), PATIENCE);
    const kept = readFileSync(gathered, 'utf8');
    await first.notifier.close();
    writeFileSync(gathered, kept);
    await world({}, first.stateDir);
    await vi.waitFor(() => expect(JSON.parse(readFileSync(gathered, 'utf8')).pending).toEqual([]), PATIENCE);
  });

  it('that are refused for good wait no longer', async () => {
    const sink = await Sink.open();
    sink.answer = () => ({ status: 404 });
    const { fail, deliveries, waiting } = await world({ channels: [webhook(sink)] });
    expect(waiting.get('hook')?.()).toBe(0);
    fail('default/web-1');
    await vi.waitFor(() => expect(deliveries).toEqual(['hook dropped']), PATIENCE);
    await vi.waitFor(() => expect(waiting.get('hook')?.()).toBe(0), PATIENCE);
  });

  it('begin with nothing where a removal was cut short', async () => {
    const sink = await Sink.open();
    const { notifier, stateDir } = await world({});
    const spool = join(stateDir, 'notify', 'spool', 'chat');
    mkdirSync(spool, { recursive: true });
    writeFileSync(join(spool, '000000000001.json'), 'what another was to be told');
    const way = { kind: 'webhook', url: `http://127.0.0.1:${sink.port}/` } as const;
    await notifier.add({ name: 'chat', level: 'errors', vms: [], way }, 'ann');
    expect(readdirSync(spool)).toEqual([]);
  });

  it('are spooled once, also where the daemon ends while that is under way', async () => {
    const sink = await Sink.open();
    sink.answer = () => ({ status: 503 });
    const timers = new Set<() => void>();
    const clock: Clock = {
      now: () => Date.now(),
      monotonic: () => performance.now(),
      at: (_atMs, fn) => {
        timers.add(fn);
        return () => timers.delete(fn);
      },
    };
    const { notifier, stateDir, fail } = await world({ channels: [webhook(sink)] }, testFolder(), clock);
    fail('default/web-1');
    await settle();
    for (const fire of timers) fire();
    await notifier.close();
    expect(readdirSync(join(stateDir, 'notify', 'spool', 'hook'))).toHaveLength(1);
  });

  it('go on where channels that were added cannot be read', async () => {
    const stateDir = testFolder();
    mkdirSync(join(stateDir, 'notify'));
    writeFileSync(join(stateDir, 'notify', 'channels.json'), '[{');
    writeFileSync(join(stateDir, 'notify', 'incidents.json'), '{');
    const sink = await Sink.open();
    const { degraded, fail, notifier } = await world({ channels: [webhook(sink)] }, stateDir);
    expect(degraded.get('notify')).toContain('channels.json cannot be read');
    expect(degraded.get('notify-incidents')).toContain('incidents.json cannot be read and is put aside');
    expect(readFileSync(join(stateDir, 'notify', 'incidents.json.bad'), 'utf8')).toBe('{');
    fail('default/web-1');
    await vi.waitFor(() => expect(sink.received).toHaveLength(1), PATIENCE);
    const way = { kind: 'webhook', url: 'https://example.com/' } as const;
    await expect(notifier.add({ name: 'x', level: 'all', vms: [], way }, 'ann')).rejects.toMatchObject({
      code: 'ERR_VMPULSE_STORAGE',
    });
  });
});
