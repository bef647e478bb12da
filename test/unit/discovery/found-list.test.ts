import { describe, expect, it } from 'vitest';
import { FoundList, filesOf } from '../../../src/discovery/found-list.js';
import { type FoundVm, NOTHING_KNOWN } from '../../../src/hypervisors/discovery/found-vm.js';
import { compile, compileOne, pair } from '../../config/compile.js';

const HOUR = 3_600_000;
const NO_ADDRESSES = {
  leases: [],
  neighbours: [],
  bridgeOf: new Map<string, string>(),
  own: new Set<string>(),
  networks: new Map<string, readonly string[]>(),
};
const vm = (name: string, more: Partial<FoundVm> = {}): FoundVm => ({
  ...NOTHING_KNOWN,
  name,
  vmm: 'qemu',
  marks: [{ option: '-name', value: `guest=${name}` }],
  owner: { kind: 'user', uid: 0 },
  present: [...(more.monitors ?? []), more.api ?? '', more.agent ?? ''],
  ...more,
});

function listOf(...found: readonly FoundVm[]): FoundList {
  const list = new FoundList();
  list.update(found, NO_ADDRESSES, 0);
  return list;
}

const namesIn = (list: FoundList) => list.list().map(({ name }) => name);

describe('what was found', () => {
  it('keeps its name, whoever comes and goes', () => {
    const [a, b] = [
      vm('web', { marks: [{ option: '-uuid', value: 'a' }] }),
      vm('web', { marks: [{ option: '-uuid', value: 'b' }] }),
    ];
    const list = listOf(a, b);
    expect(namesIn(list)).toEqual(['web', 'web-2']);
    list.update([b], NO_ADDRESSES, 1);
    list.update([b, a], NO_ADDRESSES, 2);
    expect(list.list().map(({ name, vm: { marks } }) => [name, marks[0]?.value])).toEqual([
      ['web', 'a'],
      ['web-2', 'b'],
    ]);
  });

  it('stays for an hour after it vanished', () => {
    const list = listOf(vm('a'), vm('b'));
    list.update([vm('b')], NO_ADDRESSES, HOUR);
    expect(namesIn(list)).toEqual(['a', 'b']);
    list.update([vm('b')], NO_ADDRESSES, HOUR + 1);
    expect(namesIn(list)).toEqual(['b']);
  });

  it('keeps its address while nobody knows another', () => {
    const tapped = vm('a', { taps: [{ device: 'tap0', mac: '52:54:00:00:00:01' }] });
    const list = new FoundList();
    const neighbours = [{ mac: '52:54:00:00:00:01', ip: '192.0.2.7', source: 'x' }];
    list.update([tapped], { ...NO_ADDRESSES, neighbours }, 0);
    list.update([tapped], NO_ADDRESSES, 1);
    expect(list.list()[0]?.address?.ip).toBe('192.0.2.7');
  });

  it('does not count what is watched already, by record, UUID, socket or mark', () => {
    const uuid = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
    const adopting = (hypervisor: string) =>
      compileOne(
        pair({ probe: '{tcpSocket: {port: 1}}', spec: `address: 192.0.2.1, ${hypervisor}` }).replace(
          'readinessProbe: {tcpSocket: {port: 1}}',
          '',
        ),
      );
    const cases: readonly (readonly [Partial<FoundVm>, string])[] = [
      [
        { owner: { kind: 'vmpulse', vm: 'default/web-1' } },
        'hypervisor: {qemu: {memory: 1Gi, extraArgs: [-nodefaults]}}',
      ],
      [{ uuid }, `uuid: ${uuid}, hypervisor: {qemu: {memory: 1Gi, extraArgs: [-nodefaults]}}`],
      [{ monitors: ['/run/q.sock'] }, 'hypervisor: {qemu: {adopt: {qmpSocket: /run/q.sock}}}'],
      [
        { marks: [{ option: '-uuid', value: uuid.toUpperCase() }] },
        `hypervisor: {observed: {mark: -uuid ${uuid}}}`,
      ],
    ];
    for (const [found, hypervisor] of cases) {
      const list = listOf(vm('x', found), vm('other'));
      expect(list.list([adopting(hypervisor)]).map(({ name }) => name)).toEqual(['other']);
    }
  });

  it('gets another name where one is taken', () => {
    const known = compileOne(pair({ name: 'web' }));
    const names = listOf(vm('web'), vm('web-2'), vm('a'))
      .list([known])
      .map(({ name }) => name);
    expect(names).toEqual(['web-3', 'web-2', 'a']);
  });

  it('is never in its own way: what two have in common is in neither', () => {
    const uuid = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
    const shared = { uuid, monitors: ['/run/q.sock'], agent: '/run/a.sock' };
    const list = listOf(
      vm('a', shared),
      vm('b', shared),
      vm('c', { agent: '/run/a.sock', monitors: ['/run/c.sock'] }),
    );
    const { vms } = compile(...filesOf(list.list()).map(({ text }) => text));
    expect(vms.map(({ id, hypervisor: { driver } }) => [id, driver])).toEqual([
      ['default/a', 'observed'],
      ['default/b', 'observed'],
      ['default/c', 'qemu'],
    ]);
  });

  it('is left out, with a note, where documents cannot say it', () => {
    const [long] = listOf(vm('a', { monitors: [`/run/${'x'.repeat(120)}`] })).list();
    expect(long?.documents).toBeUndefined();
    expect(long?.notes[0]).toMatch(
      /^it cannot be written as documents: found\/a\.yaml:\d+:\d+ spec\.hypervisor\.qemu\.adopt\.qmpSocket/,
    );
    expect(filesOf(listOf(vm('a', { marks: [] })).list())).toEqual([]);
  });
});
