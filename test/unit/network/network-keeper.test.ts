import { describe, expect, it } from 'vitest';
import { faultsOf, type HostNetwork } from '../../../src/model/link.js';
import { machineOf } from '../../../src/model/machine.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { GroupStore, NetworkKeeper, RuleKeeper } from '../../../src/network/index.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { FakeFilter, FakeForwarding, FakeLinks, vmWith } from './fakes.js';

const SOON = { deadlineMs: 1_000 };
const NETWORK: HostNetwork = { bridge: 'vmbr0', address: '10.77.0.1/24', nat: true };

async function keep(links: FakeLinks, vms: VmSpec[], networks: HostNetwork[] = [NETWORK], isRunning = true) {
  const filter = new FakeFilter();
  const forwarding = new FakeForwarding();
  const store = new GroupStore(new MemoryJournal(), 1_000);
  await store.load();
  const all = () => vms;
  const made = () => networks;
  const rules = new RuleKeeper({ store, filter, links, networks: made, vms: all, now: () => 0 });
  const keeper = new NetworkKeeper({
    ...{ networks: made, hostName: 'kvm-1', links, forwarding, rules, vms: all },
    isRunning: () => isRunning,
    unavailable: () => undefined,
  });
  return { keeper, filter, forwarding };
}

const good = () => new FakeLinks().bridge('vmbr0', {}, ['10.77.0.1/24']).tap('tap0', { master: 'vmbr0' });

describe('faultsOf', () => {
  const faults = (links: FakeLinks, isHeld = true) =>
    faultsOf({ device: 'tap0', bridge: 'vmbr0' }, isHeld, links.info).map(({ fault }) => fault);

  it.each<[string, FakeLinks, string[]]>([
    ['nothing', good(), []],
    ['no device', new FakeLinks().bridge('vmbr0'), ['tap-missing']],
    ['something else of that name', good().hardware('tap0'), ['not-a-tap']],
    ['a device that nobody holds', good().tap('tap0', { master: 'vmbr0', carrier: false }), ['no-carrier']],
    ['a device that is down', good().tap('tap0', { master: 'vmbr0', up: false }), ['tap-down']],
    ['a device on no bridge', good().tap('tap0'), ['wrong-bridge']],
    ['a device on another bridge', good().tap('tap0', { master: 'vmbr1' }), ['wrong-bridge']],
    ['a bridge that is down', good().bridge('vmbr0', { up: false }), ['bridge-down']],
    ['no bridge', new FakeLinks().tap('tap0'), ['bridge-missing']],
    ['several things', new FakeLinks().tap('tap0', { up: false }), ['bridge-missing', 'tap-down']],
  ])('finds %s', (_what, links, expected) => {
    expect(faults(links)).toEqual(expected);
  });

  it('wants nobody to hold the device of a VM that does not run', () => {
    expect(faults(good().tap('tap0', { master: 'vmbr0', carrier: false }), false)).toEqual([]);
  });

  it('takes the bridge that a device is on where none is named', () => {
    const links = good().tap('tap0', { master: 'vmbr0' }).bridge('vmbr0', { up: false });
    expect(faultsOf({ device: 'tap0' }, true, links.info).map(({ fault }) => fault)).toEqual(['bridge-down']);
    expect(faultsOf({ device: 'tap0' }, true, new FakeLinks().tap('tap0').info)).toEqual([]);
  });
});

describe('network check and repair', () => {
  it('find nothing where everything is as it should be', async () => {
    const { keeper } = await keep(good(), [vmWith()]);
    await keeper.makeNetworks(SOON);
    expect(await keeper.check(null, SOON)).toEqual([]);
    expect(await keeper.repair(null, false, SOON)).toEqual({ done: [], problems: [] });
  });

  it('make a whole network and device from nothing, and a second time nothing more', async () => {
    const links = new FakeLinks();
    const { keeper, filter, forwarding } = await keep(links, [vmWith()], [NETWORK], false);
    const dry = await keeper.repair(null, true, SOON);
    expect(links.changes).toEqual([]);
    expect(dry.done).toEqual([
      'make bridge vmbr0 with 10.77.0.1/24 and set it up',
      'switch forwarding of IPv4 on',
      'make tap0 of default/web-1 as its document says, with its bridge, and set it up',
      'apply the rules of the packet filter',
    ]);
    const { problems } = await keeper.repair(null, false, SOON);
    expect(problems).toEqual([]);
    expect(links.changes).toEqual([
      'vmbr0 bridge',
      'vmbr0 address 10.77.0.1/24',
      'vmbr0 up',
      'tap0 tap',
      'tap0 master vmbr0',
      'tap0 up',
    ]);
    expect([...forwarding.on]).toEqual([4]);
    expect(filter.applied.at(-1)).toContain('ip saddr 10.77.0.1/24 oifname != "vmbr0" masquerade');
    expect(links.info('vmbr0')?.mac).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
    await keeper.repair(null, false, SOON);
    expect(links.changes).toHaveLength(6);
  });

  it('say what no repair can put right: a device that a running VMM has lost, a bridge of others', async () => {
    const lost = good().tap('tap0', { master: 'vmbr0', carrier: false });
    const { keeper } = await keep(lost, [vmWith()]);
    await keeper.makeNetworks(SOON);
    expect(await keeper.check(vmWith(), SOON)).toEqual([
      {
        fault: 'no-carrier',
        device: 'tap0',
        vm: 'default/web-1',
        text: 'no VMM holds tap0; the VMM has lost its device: only a new VMM attaches to one again, so stop and start the VM',
        remedy: null,
      },
    ]);
    const foreign = await keep(new FakeLinks().tap('tap0'), [vmWith({ bridge: 'lan0' })], []);
    const [problem] = await foreign.keeper.check(null, SOON);
    expect(problem).toMatchObject({ fault: 'bridge-missing', remedy: null });
  });

  it('leave a device alone that vmpulse does not keep', async () => {
    const links = new FakeLinks().tap('tap0', { up: false });
    const vm = {
      ...vmWith(),
      hypervisor: { ...vmWith().hypervisor, interfaces: [{ type: 'tap', device: 'tap0' } as const] },
    };
    const { keeper } = await keep(links, [vm], []);
    const { done, problems } = await keeper.repair(null, false, SOON);
    expect({ done, changes: links.changes }).toEqual({ done: [], changes: [] });
    expect(problems).toMatchObject([{ fault: 'tap-down', remedy: null }]);
  });
});

describe('before a start', () => {
  it('devices and bridges are made that the document names', async () => {
    const links = new FakeLinks();
    const { keeper } = await keep(links, [vmWith()]);
    expect(await keeper.startProblems(vmWith())).toEqual([]);
    expect(links.changes).toEqual([]);
    await keeper.prepare(vmWith());
    expect(links.info('tap0')).toMatchObject({ up: true, master: 'vmbr0' });
  });

  it('what cannot be made is said, and nothing is changed', async () => {
    const links = new FakeLinks().hardware('tap0');
    const { keeper } = await keep(links, [], []);
    expect(await keeper.startProblems(vmWith())).toEqual([
      'network: tap0 is there and is no TAP device; name another',
      'network: there is no bridge vmbr0',
    ]);
    await expect(keeper.prepare(vmWith())).rejects.toMatchObject({ code: 'ERR_VMPULSE_NETWORK' });
    expect(links.changes).toEqual([]);
  });
});

describe('the device of a VMM that runs as somebody else', () => {
  const vm = (): VmSpec => {
    const plain = vmWith();
    return {
      ...plain,
      hypervisor: { ...plain.hypervisor, runAs: { user: '54321', group: '54321' } } as VmSpec['hypervisor'],
    };
  };

  it('is made for that user', async () => {
    const links = good();
    links.all.delete('tap0');
    const { keeper } = await keep(links, [vm()]);
    await keeper.prepare(vm());
    expect(links.changes).toContain('tap0 tap of 54321');
  });

  it('is made anew where it was for another, unless a VMM holds it', async () => {
    const held = good();
    await (await keep(held, [vm()])).keeper.prepare(vm());
    expect(held.changes).toEqual([]);
    const free = good().tap('tap0', { master: 'vmbr0', carrier: false });
    await (await keep(free, [vm()])).keeper.prepare(vm());
    expect(free.changes.slice(0, 2)).toEqual(['tap0 removed', 'tap0 tap of 54321']);
  });
});

describe('reset', () => {
  it('puts right what is wrong and nothing else', async () => {
    const links = good().tap('tap0', { up: false });
    const { keeper } = await keep(links, [vmWith()]);
    expect(await keeper.reset(vmWith(), SOON)).toContain('tap0 put on vmbr0');
    expect(links.changes).toEqual(['tap0 master vmbr0', 'tap0 up']);
  });

  it('takes a device down and up, and off its bridge and on, where nothing is wrong', async () => {
    const links = good();
    const { keeper } = await keep(links, [vmWith()], []);
    expect(await keeper.reset(vmWith(), SOON)).toEqual(['tap0 taken down and up, and put on vmbr0 anew']);
    expect(links.changes).toEqual(['tap0 down', 'tap0 master none', 'tap0 master vmbr0', 'tap0 up']);
  });
});

it('the host side of a device is no part of the machine', () => {
  const machine = (tap: Parameters<typeof vmWith>[0]) => JSON.stringify(machineOf(vmWith(tap)));
  expect(machine({ bridge: 'vmbr1' })).toBe(machine({ bridge: 'vmbr0' }));
  expect(machine({ device: 'tap1' })).not.toBe(machine({}));
});
