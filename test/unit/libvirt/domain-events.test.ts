import { describe, expect, it } from 'vitest';
import { EventMapper, endingOf } from '../../../src/hypervisors/libvirt/domain-events.js';
import { writeDomain } from '../../../src/hypervisors/libvirt/rpc/domain.js';
import { XdrReader, XdrWriter } from '../../../src/hypervisors/libvirt/rpc/xdr.js';
import { UUID } from '../qemu/fixtures.js';

const LIFECYCLE = 318;
const REBOOT = 319;
const ENDED = { type: 'monitor', state: 'lost', why: 'libvirt says that the domain ended' };

const head = () => writeDomain(new XdrWriter().int(4), { name: 'web', uuid: UUID });
const map = (mapper: EventMapper, procedure: number, body: XdrWriter, asked = false, atMs = 0) =>
  mapper.map(procedure, new XdrReader(body.bytes()), asked, atMs);
const lifecycle = (event: number, detail: number, asked = false) =>
  map(new EventMapper(), LIFECYCLE, head().int(event).int(detail), asked);

describe('events of libvirt', () => {
  it.each([
    ['paused', 3, 0, [{ type: 'paused' }]],
    ['resumed', 4, 0, [{ type: 'resumed' }]],
    ['shut down by the guest', 6, 1, [{ type: 'shutdown', guest: true, reason: 'guest-shutdown' }]],
    ['shut down by a signal', 6, 2, [{ type: 'shutdown', guest: false, reason: 'host-signal' }]],
    ['destroyed', 5, 1, [{ type: 'shutdown', guest: false, reason: 'destroyed' }, ENDED]],
    ['panicked and ended', 5, 2, [{ type: 'shutdown', guest: true, reason: 'guest-panic' }, ENDED]],
    ['saved', 5, 4, [{ type: 'shutdown', guest: false, reason: 'saved' }, ENDED]],
    ['ended for no reason', 5, 5, [ENDED]],
    ['panicked', 8, 0, [{ type: 'panicked', action: 'pause' }]],
    ['crash-loaded', 8, 1, [{ type: 'crash-loaded' }]],
    ['started', 2, 0, []],
    ['something new', 77, 7, []],
  ])('%s', (_what, event, detail, expected) => {
    expect(lifecycle(event, detail)).toEqual(expected);
  });

  it('are made up for by the state of a domain that ended unheard', () => {
    expect(endingOf({ state: 1, reason: 1 })).toEqual([]);
    expect(endingOf({ state: 5, reason: 2 })).toEqual([
      { type: 'shutdown', guest: false, reason: 'destroyed' },
      ENDED,
    ]);
    // Who was killed and who panicked looks the same afterwards.
    expect(endingOf({ state: 5, reason: 3 })).toEqual([ENDED]);
    expect(endingOf({ state: 5, reason: 6 })).toEqual([ENDED]);
  });

  it('says once how the guest was shut down', () => {
    const mapper = new EventMapper();
    map(mapper, LIFECYCLE, head().int(6).int(1));
    expect(map(mapper, LIFECYCLE, head().int(5).int(0))).toEqual([ENDED]);
  });

  it('does not take the power-off within a reboot of ours for a shutdown', () => {
    expect(lifecycle(6, 1, true)).toEqual([]);
  });

  it('tells one reset a burst, and whose it was', () => {
    const mapper = new EventMapper();
    expect(map(mapper, REBOOT, head())).toEqual([{ type: 'reset', guest: true, reason: 'guest-reset' }]);
    expect(map(mapper, REBOOT, head(), false, 500)).toEqual([]);
    expect(map(mapper, REBOOT, head(), true, 9_000)).toEqual([
      { type: 'reset', guest: false, reason: 'host-reset' },
    ]);
  });

  it('tells watchdogs, I/O errors and migrations', () => {
    const mapper = new EventMapper();
    expect(map(mapper, 321, head().int(1))).toEqual([{ type: 'watchdog', action: 'pause' }]);
    expect(map(mapper, 321, head().int(99))).toEqual([{ type: 'watchdog', action: 'unknown' }]);
    const error = head().string('/disk').string('virtio-disk0').int(1).string('enospc');
    expect(map(mapper, 324, error)).toEqual([{ type: 'io-error', device: 'virtio-disk0', noSpace: true }]);
    expect(map(mapper, 359, head().int(1))).toEqual([{ type: 'migration', active: true, status: 'active' }]);
  });

  it('refuses what ends too soon', () => {
    expect(() => map(new EventMapper(), LIFECYCLE, head())).toThrow('fewer bytes');
  });
});
