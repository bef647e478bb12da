import { describe, expect, it } from 'vitest';
import { EventMapper } from '../../../src/hypervisors/cloud-hypervisor/events.js';

const event = (name: string, data: unknown = null, atMs = 0) =>
  ({ type: 'event', name, data, atMs }) as const;

describe('events of Cloud Hypervisor', () => {
  it.each([
    ['guest.panic', { event: 'panic' }, { type: 'panicked', action: 'none' }],
    ['guest.panic', { event: 'crash_loaded' }, { type: 'crash-loaded' }],
    ['guest.panic', 'nonsense', { type: 'panicked', action: 'none' }],
    ['vm.paused', null, { type: 'paused' }],
    ['vm.resumed', null, { type: 'resumed' }],
    ['vm.rebooted', null, { type: 'reset', guest: true, reason: 'guest-reset' }],
    ['vm.shutdown', null, { type: 'shutdown', guest: true, reason: 'guest-shutdown' }],
    ['vm.migration-started', null, { type: 'migration', active: true, status: 'vm.migration-started' }],
    ['vm.migration-failed', null, { type: 'migration', active: false, status: 'vm.migration-failed' }],
    ['vm.booted', null, undefined],
    ['virtio-device.activated', { id: '_disk0' }, undefined],
    ['toString', null, undefined],
  ])('%s with %o', (name, data, expected) => {
    expect(new EventMapper().map(event(name, data), false)).toEqual(expected);
  });

  it('are ours where we asked for them', () => {
    const mapper = new EventMapper();
    expect(mapper.map(event('vm.rebooted'), true)).toMatchObject({ guest: false, reason: 'vm.reboot' });
    expect(mapper.map(event('vm.shutdown'), true)).toMatchObject({ guest: false, reason: 'vm.shutdown' });
  });

  it('count a burst of resets once, and again when it goes on', () => {
    const mapper = new EventMapper();
    const told = Array.from({ length: 300 }, (_, i) => mapper.map(event('vm.rebooted', null, i * 25), false));
    expect(told.filter((each) => each !== undefined)).toHaveLength(2);
  });
});
