import { describe, expect, it } from 'vitest';
import type { ChannelEvent } from '../../../src/engine/probe-engine.js';
import { EventMapper } from '../../../src/hypervisors/qemu/events.js';

function qmp(name: string, data: unknown = {}, atMs = 0): ChannelEvent {
  return { type: 'event', name, data, atMs };
}

describe('QMP events', () => {
  it.each([
    [
      'SHUTDOWN',
      { guest: true, reason: 'guest-shutdown' },
      { type: 'shutdown', guest: true, reason: 'guest-shutdown' },
    ],
    ['POWERDOWN', {}, { type: 'powerdown' }],
    ['STOP', {}, { type: 'paused' }],
    ['RESUME', {}, { type: 'resumed' }],
    ['WATCHDOG', { action: 'pause' }, { type: 'watchdog', action: 'pause' }],
    ['GUEST_PANICKED', { action: 'pause', info: {} }, { type: 'panicked', action: 'pause' }],
    ['GUEST_CRASHLOADED', { action: 'run' }, { type: 'crash-loaded' }],
    [
      'BLOCK_IO_ERROR',
      { device: '', 'node-name': 'disk0', nospace: true, reason: 'No space left on device' },
      { type: 'io-error', device: 'disk0', noSpace: true },
    ],
    ['RTC_CHANGE', { offset: 1 }, undefined],
  ])('%s', (name, data, expected) => {
    expect(new EventMapper().map(qmp(name, data))).toEqual(expected);
  });

  it('takes data of any shape, bounded and without control characters', () => {
    const mapper = new EventMapper();
    expect(mapper.map(qmp('WATCHDOG', null))).toEqual({ type: 'watchdog', action: 'unknown' });
    expect(mapper.map(qmp('SHUTDOWN', { guest: 'yes', reason: 7 }))).toEqual({
      type: 'shutdown',
      guest: false,
      reason: 'unknown',
    });
    expect(mapper.map(qmp('SHUTDOWN', { guest: true, reason: '\u001b[2J' }))).toMatchObject({
      reason: '\\u001b[2J',
    });
    const long = mapper.map(qmp('WATCHDOG', { action: 'x'.repeat(10_000) }));
    expect(JSON.stringify(long).length).toBeLessThan(200);
  });

  it('makes one reset of a burst', () => {
    const mapper = new EventMapper();
    const data = { guest: true, reason: 'guest-reset' };
    const resets = Array.from({ length: 120 }, (_, i) => mapper.map(qmp('RESET', data, i * 5)));
    expect(resets.filter((event) => event !== undefined)).toEqual([{ type: 'reset', ...data }]);
    expect(mapper.map(qmp('RESET', data, 595 + 999))).toBeUndefined();
    expect(mapper.map(qmp('RESET', data, 595 + 999 + 1000))).toEqual({ type: 'reset', ...data });
  });

  it('tells again of a guest that resets without end', () => {
    const mapper = new EventMapper();
    const resets = Array.from({ length: 200 }, (_, i) => mapper.map(qmp('RESET', {}, i * 100)));
    expect(resets.filter((event) => event !== undefined)).toHaveLength(4);
  });

  it('reports each change of the monitor once', () => {
    const mapper = new EventMapper();
    const lost = { type: 'disconnected', reason: 'connection-refused', detail: '', atMs: 0 } as const;
    const states = [
      mapper.map({ type: 'connected', atMs: 0 }),
      mapper.map(lost),
      mapper.map(lost),
      mapper.map({ ...lost, reason: 'channel-busy' }),
      mapper.map({ ...lost, reason: 'channel-busy' }),
      mapper.map({ ...lost, reason: 'protocol-error', detail: 'received "SSH-2.0\u001b"' }),
      mapper.map({ type: 'connected', atMs: 0 }),
    ];
    expect(states).toEqual([
      { type: 'monitor', state: 'connected' },
      { type: 'monitor', state: 'lost', why: 'connection-refused: ' },
      undefined,
      { type: 'monitor', state: 'busy', why: 'channel-busy: ' },
      undefined,
      { type: 'monitor', state: 'foreign', why: 'protocol-error: received "SSH-2.0\\u001b"' },
      { type: 'monitor', state: 'connected' },
    ]);
  });
});
