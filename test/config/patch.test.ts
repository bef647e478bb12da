import { describe, expect, it } from 'vitest';
import { compile, compileOne, problemsOf } from './compile.js';

/** A VM whose manifest has annotations, its patch on line 7; the host document comes first, as it may. */
function patched(patch: unknown, key = 'vmpulse.dev/patch'): string {
  const text = typeof patch === 'string' ? patch : JSON.stringify(patch);
  return `{apiVersion: vmpulse.dev/v1, kind: VirtualMachineHost, metadata: {name: web-1}, spec: {uuid: ${UUID}, hypervisor: {qemu: {memory: 1Gi, vcpus: 2, disks: [{path: /a.qcow2, format: qcow2}]}}}}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: web-1
  annotations: {${key}: ${JSON.stringify(text)}}
spec: {runStrategy: Always, template: {spec: {readinessProbe: {guestAgentPing: {}}}}}
`;
}

const UUID = '00000000-0000-4000-8000-000000000009';
const qemu = (changes: unknown) => ({ spec: { hypervisor: { qemu: changes } } });
const refused = (patch: unknown) => problemsOf(() => compile(patched(patch)));
const PLACE = String.raw`^1\.yaml:7:\d+ `;

describe('a patch of a host document', () => {
  it.each(['vmpulse.dev/patch', 'platform.kubevirt.io/patch'])('%s: an object is a merge patch', (key) => {
    const vm = compileOne(patched(qemu({ memory: '4Gi', vcpus: null, cpu: 'max' }), key));
    expect(vm.hypervisor).toMatchObject({ memoryMiB: 4096, vcpus: 1, cpu: 'max' });
    expect(vm.hypervisor.disks).toMatchObject([{ path: '/a.qcow2' }]);
    expect(vm.patchedBy).toBe(key);
  });

  it('a list is a JSON patch', () => {
    const vm = compileOne(
      patched([
        { op: 'test', path: '/spec/hypervisor/qemu/vcpus', value: 2 },
        { op: 'replace', path: '/spec/hypervisor/qemu/vcpus', value: 4 },
        { op: 'add', path: '/spec/hypervisor/qemu/disks/0/readOnly', value: true },
        { op: 'add', path: '/spec/address', value: '192.0.2.7' },
      ]),
    );
    expect(vm).toMatchObject({ address: '192.0.2.7', hypervisor: { vcpus: 4, disks: [{ readOnly: true }] } });
  });

  it.each([
    ['metadata', { metadata: { name: 'db' } }],
    ['metadata', { metadata: { namespace: 'lab' } }],
    ['kind', { kind: 'RecoveryPolicy' }],
    ['spec.uuid', { spec: { uuid: null } }],
    ['the driver', { spec: { hypervisor: { qemu: null, other: {} } } }],
    ['adopt in spec.hypervisor', qemu({ adopt: { qmpSocket: '/run/q.sock' } })],
    ['the path of a disk', qemu({ disks: [{ path: '/b.qcow2', format: 'qcow2' }] })],
    ['the path of a disk', [{ op: 'remove', path: '/spec/hypervisor/qemu/disks/0' }]],
  ])('may not change %s', (what, patch) => {
    expect(refused(patch)).toMatch(new RegExp(`${PLACE}.*: changes ${what}.*, which says which VM it is; `));
  });

  it.each([
    ['is not JSON', '{'],
    ['is neither an object nor a list', '7'],
    ['is no JSON patch at \\[0\\]', [{ op: 'swap', path: '/a' }]],
    ['is no JSON patch at \\[0\\]', [{ op: 'add', path: '/spec/__proto__/x', value: 1 }]],
    [
      'cannot be applied: operation 1 \\(remove /spec/nothing\\)',
      [
        { op: 'add', path: '/spec/address', value: '192.0.2.7' },
        { op: 'remove', path: '/spec/nothing' },
      ],
    ],
    ['cannot be applied: operation 0', [{ op: 'test', path: '/spec/hypervisor/qemu/vcpus', value: 3 }]],
    ['is too large', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
  ])('%s', (message, patch) => {
    expect(refused(patch)).toMatch(
      new RegExp(`${PLACE}metadata\\.annotations\\["vmpulse\\.dev/patch"\\]: ${message}.*; `),
    );
  });

  it('that makes the document wrong is told where the annotation stands, the rest where it is', () => {
    expect(refused(qemu({ vcpus: 'two' }))).toMatch(new RegExp(`${PLACE}spec\\.hypervisor\\.qemu\\.vcpus: `));
    expect(refused(qemu({ vcpu: 3 }))).toMatch(/^1\.yaml:7:\d+ spec\.hypervisor\.qemu\.vcpu: /);
    const other = patched(qemu({ vcpus: 3 })).replace('memory: 1Gi', 'memory: much');
    expect(problemsOf(() => compile(other))).toMatch(/^1\.yaml:1:\d+ spec\.hypervisor\.qemu\.memory: /);
  });

  it('reaches no prototype', () => {
    expect(refused('{"spec": {"__proto__": {"polluted": true}}}')).toMatch(/__proto__/);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('ignored fields', () => {
  const ignored = (text: string, key = 'vmpulse.dev/ignore-fields') => patched(text, key);

  it.each(['vmpulse.dev/ignore-fields', 'platform.kubevirt.io/ignore'])('%s is a list of paths', (key) => {
    const vm = compileOne(ignored('runStrategy, hypervisor.disks[0].readOnly,probes.web', key));
    expect(vm.ignoredFields).toEqual(['runStrategy', 'hypervisor.disks[0].readOnly', 'probes.web']);
  });

  it('refuses what is never compared', () => {
    expect(problemsOf(() => compile(ignored('spec.replicas')))).toMatch(
      new RegExp(`${PLACE}.*: "spec\\.replicas" is nothing that is compared; write runStrategy`),
    );
  });
});
