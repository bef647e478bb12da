import { expect, it } from 'vitest';
import type { LinkFault } from '../../../src/model/link.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { LinkWatch } from '../../../src/runtime/link-watch.js';
import type { VmUnit } from '../../../src/runtime/vm-unit.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { FakeLinks, vmWith } from '../network/fakes.js';

function unitOf(spec: VmSpec): VmUnit & { session: object | undefined } {
  return { spec, session: {} } as unknown as VmUnit & { session: object | undefined };
}

function watch() {
  const links = new FakeLinks().bridge('vmbr0').tap('tap0', { master: 'vmbr0' });
  const clock = new ManualClock();
  const unit = unitOf(vmWith());
  const told: (LinkFault | null)[] = [];
  let changed: (names: readonly string[] | null) => void = () => {};
  let isListening = false;
  const source = {
    look: links.info,
    listen: (listener: typeof changed) => {
      changed = listener;
      isListening = true;
      return () => {
        isListening = false;
      };
    },
  };
  const units = new Map([[unit.spec.id, unit]]);
  const watcher = new LinkWatch({ source, clock, units, tell: (_unit, { fault }) => told.push(fault) });
  watcher.start();
  watcher.attached(unit);
  return {
    links,
    clock,
    unit,
    told,
    watcher,
    change: (names: string[] | null) => changed(names),
    listening: () => isListening,
  };
}

it('tells what breaks and that it is whole again, each once', () => {
  const { links, told, change } = watch();
  expect(told).toEqual([]);
  links.setUp('tap0', false);
  change(['tap0']);
  change(['tap0']);
  links.setUp('tap0', true);
  change(['tap0']);
  links.setUp('vmbr0', false);
  change(['vmbr0']);
  links.all.delete('vmbr0');
  change(null);
  expect(told).toEqual(['tap-down', null, 'bridge-down', 'bridge-missing']);
});

it('does not look for what is not about its VMs, nor at VMs without a VMM', () => {
  const { links, told, change, unit } = watch();
  links.setUp('tap0', false);
  change(['tap1', 'eth0']);
  unit.session = undefined;
  change(['tap0']);
  expect(told).toEqual([]);
});

it('takes a device that nobody holds for that of a VMM that ends, for a moment', async () => {
  const { links, told, change, clock, unit } = watch();
  links.tap('tap0', { master: 'vmbr0', carrier: false });
  change(['tap0']);
  expect(told).toEqual([]);
  await clock.advance(300);
  expect(told).toEqual(['no-carrier']);
  const ending = watch();
  ending.links.tap('tap0', { master: 'vmbr0', carrier: false });
  ending.change(['tap0']);
  ending.unit.session = undefined;
  await ending.clock.advance(300);
  expect(ending.told).toEqual([]);
  expect(unit.session).toBeDefined();
});

it('tells at once that a device was removed', () => {
  const { links, told, change } = watch();
  links.all.delete('tap0');
  change(['tap0']);
  expect(told).toEqual(['tap-missing']);
});

it('tells of a new VMM what is wrong then, and listens no more once stopped', () => {
  const { links, told, watcher, unit, listening } = watch();
  links.setUp('tap0', false);
  watcher.attached(unit);
  watcher.attached(unit);
  expect(told).toEqual(['tap-down', 'tap-down']);
  expect(listening()).toBe(true);
  watcher.stop();
  expect(listening()).toBe(false);
});
