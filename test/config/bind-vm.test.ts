import { describe, expect, it } from 'vitest';
import { DEFAULT_RECOVERY } from '../../src/policy/defaults.js';
import { compile, compileOne, fixture, pair } from './compile.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a VM with everything written', () => {
  const { vms, warnings } = compile(fixture('valid/kubevirt-full.yaml'), fixture('valid/host-full.yaml'));
  const [vm] = vms;

  it('lists what KubeVirt knows and vmpulse does not use, the top of each branch, once', () => {
    expect(warnings).toEqual([
      `1.yaml:1:1: fields of KubeVirt that vmpulse does not use: ${[
        'metadata.creationTimestamp',
        'metadata.generation',
        'metadata.resourceVersion',
        'metadata.uid',
        'metadata.finalizers',
        'spec.dataVolumeTemplates',
        'spec.template.spec.evictionStrategy',
        'spec.template.spec.nodeSelector',
        'spec.template.spec.tolerations',
        'spec.template.spec.affinity',
        'spec.template.spec.domain.cpu.model',
        'spec.template.spec.domain.resources.requests.cpu',
        'spec.template.spec.domain.resources.overcommitGuestOverhead',
        'spec.template.spec.domain.firmware.bootloader',
        'spec.template.spec.domain.features.smm',
        'spec.template.spec.domain.clock',
        'spec.template.spec.domain.devices.disks',
        'spec.template.spec.domain.devices.interfaces',
        'spec.template.spec.domain.devices.rng',
        'spec.template.spec.networks',
        'spec.template.spec.volumes',
        'status',
      ].join(', ')}`,
    ]);
  });

  it('takes identity and labels from the manifest', () => {
    expect(vm).toMatchObject({
      id: 'production/shop',
      namespace: 'production',
      name: 'shop',
      uuid: '5d307ca9-b3ef-428c-8861-06e72d69f223',
      labels: { app: 'shop', tier: 'metadata', 'kubevirt.io/domain': 'shop' },
      annotations: { 'example.com/description': 'Serves <b>the shop</b>' },
      runStrategy: 'Always',
      address: '192.0.2.20',
    });
    expect(vm?.machineDigest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('builds the machine from the host document, which goes before the manifest', () => {
    expect(vm?.hypervisor).toEqual({
      driver: 'qemu',
      binary: '/usr/bin/qemu-system-x86_64',
      machine: 'q35,smm=off',
      accel: 'kvm',
      cpu: 'host,+x2apic',
      memoryMiB: 2862,
      vcpus: 3,
      kernel: { image: '/boot/vmlinuz', initrd: '/boot/initrd.img', append: 'console=ttyS0 root=/dev/vda' },
      disks: [
        { name: 'root', path: '/images/shop.qcow2', format: 'qcow2', readOnly: false },
        { name: 'disk1', path: '/images/data.img', format: 'raw', readOnly: true },
      ],
      interfaces: [
        { type: 'tap', device: 'tap-shop', mac: '52:54:00:aa:bb:cc' },
        {
          type: 'user',
          forwards: [
            { hostPort: 2222, guestPort: 22, hostAddress: '127.0.0.1' },
            { hostPort: 8080, guestPort: 80, hostAddress: '0.0.0.0' },
          ],
        },
      ],
      guestAgent: true,
      pvpanic: false,
      watchdog: { name: 'dog', model: 'i6300esb', action: 'pause' },
      extraArgs: ['-device', 'virtio-rng-pci'],
    });
  });

  it('has the probes of both documents and the own one whose kind neither has', () => {
    expect(
      vm?.probes.map(({ name, role, check, critical, enabled }) => [
        name,
        role,
        check.kind,
        critical,
        enabled,
      ]),
    ).toEqual([
      ['readiness', 'readiness', 'httpGet', false, true],
      ['liveness', 'liveness', 'guestAgentPing', true, true],
      ['startup', 'startup', 'tcpSocket', false, true],
      ['tls', 'check', 'httpGet', true, true],
      ['socket', 'readiness', 'httpGet', false, false],
      ['other-host', 'check', 'tcpSocket', false, true],
      ['state', 'check', 'vmState', false, true],
      ['vmm-process', 'check', 'vmmProcess', true, true],
    ]);
  });

  it('carries every option of a probe', () => {
    const tls = vm?.probes.find(({ name }) => name === 'tls');
    expect(tls).toEqual({
      name: 'tls',
      role: 'check',
      check: {
        kind: 'httpGet',
        http: {
          scheme: 'https',
          port: 443,
          path: '/healthz',
          method: 'HEAD',
          headers: [['Accept', '']],
          body: 'ping',
          keepAlive: true,
          verify: true,
          caFile: '/etc/ssl/shop.pem',
          certificateExpiresWithinDays: 14,
          maxBodyBytes: 4096,
          expect: {
            status: [
              [200, 200],
              [300, 399],
            ],
            bodyContains: '<ok>',
            bodyRegex: '^<ok>$',
            headers: [['X-Shop', 'up']],
          },
        },
      },
      timing: {
        initialDelayMs: 0,
        periodMs: 30_000,
        timeoutMs: 1500,
        successThreshold: 1,
        failureThreshold: 3,
        retryPeriodMs: 2000,
        downPeriodMs: 60_000,
      },
      enabled: true,
      weight: 2.5,
      critical: true,
    });
  });

  it('has the recovery that the host document asks for', () => {
    expect(vm?.recovery).toEqual({
      enabled: true,
      graceMs: 180_000,
      graceMaxMs: 600_000,
      kdumpTimeoutMs: 300_000,
      stableForMs: 90_000,
      wedgedAfterMs: 90_000,
      vetoWindowMs: 0,
      suspendedMaxMs: 3_600_000,
      maxConsecutive: 2,
      maxPer24h: 6,
      backoff: { baseMs: 5000, capMs: 60_000, jitter: 0.1 },
      breaker: { failures: 4, holdMs: 600_000 },
      restartService: ['systemctl', 'restart', 'shop'],
      stepTimeoutMs: 300_000,
      gracefulStopMs: 240_000,
      startPriority: 0,
      recreate: false,
      actionWindows: [],
    });
  });
});

describe('what is not written', () => {
  const vm = compileOne(pair());

  it('is filled in, whole', () => {
    expect(vm).toMatchObject({
      id: 'default/web-1',
      labels: {},
      annotations: {},
      recovery: DEFAULT_RECOVERY,
    });
    expect(vm).not.toHaveProperty('address');
    expect(vm.uuid).toMatch(UUID);
    expect(vm.hypervisor).toEqual({
      driver: 'qemu',
      binary: 'qemu-system-x86_64',
      machine: 'q35',
      accel: 'auto',
      memoryMiB: 1024,
      vcpus: 1,
      disks: [],
      interfaces: [],
      guestAgent: true,
      pvpanic: true,
      extraArgs: ['-nodefaults'],
    });
  });

  it('watches process and run state', () => {
    const [, process, state] = vm.probes;
    expect(process).toMatchObject({
      name: 'vmm-process',
      critical: true,
      timing: { periodMs: 1000, timeoutMs: 500, failureThreshold: 2 },
    });
    expect(state).toMatchObject({
      name: 'vm-state',
      critical: false,
      timing: { periodMs: 5000, timeoutMs: 2000, failureThreshold: 3 },
    });
  });

  it('gives a probe that is quicker than its time-out half the period', () => {
    const quick = compileOne(pair({ probe: '{guestAgentPing: {}, periodSeconds: 1}' }));
    expect(quick.probes[0]?.timing).toMatchObject({ periodMs: 1000, timeoutMs: 500 });
  });

  it('is the same UUID and digest each time, and another for another VM or machine', () => {
    const again = compileOne(pair());
    const other = compileOne(pair({ name: 'web-2' }));
    const bigger = compileOne(pair({ spec: 'hypervisor: {qemu: {memory: 2Gi, extraArgs: [-nodefaults]}}' }));
    expect([again.uuid, again.machineDigest]).toEqual([vm.uuid, vm.machineDigest]);
    expect(other.uuid).not.toBe(vm.uuid);
    expect(bigger.uuid).toBe(vm.uuid);
    expect(bigger.machineDigest).not.toBe(vm.machineDigest);
  });

  it('does not change the digest when only watching changes', () => {
    const probed = compileOne(pair({ probe: '{guestAgentPing: {}, periodSeconds: 60}' }));
    expect(probed.machineDigest).toBe(vm.machineDigest);
  });

  it('is warned of where a VM would be watched by little or boot from nothing', () => {
    const text = pair({ probe: 'null', spec: 'hypervisor: {qemu: {memory: 1Gi}}' });
    expect(compile(text).warnings).toEqual([
      '1.yaml:2:9 spec: has no probe of its own; only its process and its run state are watched',
      '1.yaml:4:107 spec.hypervisor.qemu: has neither disks nor a kernel; there is nothing that the VM could boot',
    ]);
  });
});

describe('a VM behind user-mode networking', () => {
  const spec = (address: string) =>
    `${address}hypervisor: {qemu: {memory: 1Gi, interfaces: [{user: {forwards: [{hostPort: 18080, guestPort: 80}, {hostPort: 10022, guestPort: 22, hostAddress: 0.0.0.0}]}}]}}`;

  it('is probed at the forwarded ports when it has no address', () => {
    const http = compileOne(pair({ probe: '{httpGet: {port: 80, path: /x}}', spec: spec('') }));
    expect(http.probes[0]?.check).toMatchObject({ http: { host: '127.0.0.1', port: 18_080, path: '/x' } });
    const tcp = compileOne(pair({ probe: '{tcpSocket: {port: 22}}', spec: spec('') }));
    expect(tcp.probes[0]?.check).toEqual({ kind: 'tcpSocket', host: '127.0.0.1', port: 10_022 });
  });

  it('is probed at its address when it has one, and at the host that a probe names', () => {
    const addressed = compileOne(
      pair({ probe: '{tcpSocket: {port: 22}}', spec: spec('address: 127.0.0.1, ') }),
    );
    expect(addressed.probes[0]?.check).toEqual({ kind: 'tcpSocket', port: 22 });
    const named = compileOne(pair({ probe: '{tcpSocket: {port: 22, host: 192.0.2.9}}', spec: spec('') }));
    expect(named.probes[0]?.check).toEqual({ kind: 'tcpSocket', port: 22, host: '192.0.2.9' });
  });
});

describe('an adopted VM', () => {
  it('is complete without anything to build it from', () => {
    const spec =
      'hypervisor: {qemu: {adopt: {qmpSocket: /run/a.qmp, agentSocket: /run/a.qga, pidFile: /run/a.pid}}}';
    expect(compileOne(pair({ spec })).hypervisor).toEqual({
      driver: 'qemu',
      binary: 'qemu-system-x86_64',
      machine: 'q35',
      accel: 'auto',
      memoryMiB: 0,
      vcpus: 1,
      disks: [],
      interfaces: [],
      guestAgent: true,
      pvpanic: false,
      extraArgs: [],
      adopt: { qmpSocket: '/run/a.qmp', agentSocket: '/run/a.qga', pidFile: '/run/a.pid' },
    });
  });
});

describe('run strategy, watchdog and grace', () => {
  const manifest = (spec: string, instance = '') =>
    `{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: web-1}, spec: {${spec}template: {spec: {${instance}}}}}`;
  const host = (qemu = '') =>
    `{apiVersion: vmpulse.dev/v1, kind: VirtualMachineHost, metadata: {name: web-1}, spec: {hypervisor: {qemu: {memory: 1Gi${qemu}}}}}`;

  it.each([
    ['running: true, ', 'Always'],
    ['running: false, ', 'Halted'],
    ['runStrategy: Once, ', 'Once'],
    ['runStrategy: null, running: null, ', 'Manual'],
  ])('%s is %s', (text, expected) => {
    expect(compileOne(manifest(text), host()).runStrategy).toBe(expected);
  });

  it.each([
    [
      'domain: {devices: {watchdog: {name: a, i6300esb: {}}}}',
      '',
      { name: 'a', model: 'i6300esb', action: 'reset' },
    ],
    ['', ', watchdog: {}', { name: 'watchdog', model: 'i6300esb', action: 'pause' }],
    ['', ', watchdog: {name: w, action: shutdown}', { name: 'w', model: 'i6300esb', action: 'shutdown' }],
    ['architecture: s390x', ', watchdog: {}', { name: 'watchdog', model: 'diag288', action: 'pause' }],
    [
      'architecture: s390x, domain: {devices: {watchdog: {name: a, diag288: {action: poweroff}}}}',
      '',
      { name: 'a', model: 'diag288', action: 'poweroff' },
    ],
  ])('watchdog of {%s} and {%s}', (instance, qemu, expected) => {
    expect(compileOne(manifest('', instance), host(qemu)).hypervisor).toMatchObject({ watchdog: expected });
  });

  it('chooses program and machine by architecture', () => {
    const arm = compileOne(manifest('', 'architecture: arm64'), host()).hypervisor;
    expect(arm).toMatchObject({ binary: 'qemu-system-aarch64', machine: 'virt', pvpanic: true });
    const z = compileOne(manifest(''), host(', binary: /opt/bin/qemu-system-s390x')).hypervisor;
    expect(z).toMatchObject({
      binary: '/opt/bin/qemu-system-s390x',
      machine: 's390-ccw-virtio',
      pvpanic: false,
    });
  });

  it('stops as gracefully as the manifest asks, and gives a step the time for it', () => {
    const { recovery } = compileOne(manifest('', 'terminationGracePeriodSeconds: 180'), host());
    expect([recovery.gracefulStopMs, recovery.stepTimeoutMs]).toEqual([180_000, 210_000]);
  });

  it('takes processors and memory from the manifest where the host document has none', () => {
    const text =
      'domain: {cpu: {cores: 2, threads: 2}, resources: {requests: {memory: 1G}}, machine: {type: pc}}';
    const adopted = compileOne(manifest('', text), host().replace('memory: 1Gi', 'accel: tcg')).hypervisor;
    expect(adopted).toMatchObject({ vcpus: 4, memoryMiB: 954, machine: 'pc' });
  });
});
