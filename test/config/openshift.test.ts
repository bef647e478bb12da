import { describe, expect, it } from 'vitest';
import { compile, compileOne, fixture, problemsOf } from './compile.js';

const host = fixture('openshift/host.yaml');

describe('the examples of the OpenShift page on health checks', () => {
  it('loads the HTTP readiness probe unchanged', () => {
    const vm = compileOne(fixture('openshift/http-readiness.yaml'), host);
    expect(vm.id).toBe('example-namespace/fedora-vm');
    expect(vm.probes[0]).toEqual({
      name: 'readiness',
      role: 'readiness',
      check: {
        kind: 'httpGet',
        http: { scheme: 'http', port: 1500, path: '/healthz', headers: [['Custom-Header', 'Awesome']] },
      },
      timing: {
        initialDelayMs: 120_000,
        periodMs: 20_000,
        timeoutMs: 10_000,
        successThreshold: 3,
        failureThreshold: 3,
      },
      enabled: true,
      weight: 1,
      critical: false,
    });
  });

  it('loads the TCP readiness probe unchanged, with the defaults of Kubernetes', () => {
    const vm = compileOne(fixture('openshift/tcp-readiness.yaml'), host);
    expect(vm.probes[0]).toMatchObject({
      role: 'readiness',
      check: { kind: 'tcpSocket', port: 1500 },
      timing: {
        initialDelayMs: 120_000,
        periodMs: 20_000,
        timeoutMs: 10_000,
        successThreshold: 1,
        failureThreshold: 3,
      },
    });
  });

  it('loads the HTTP liveness probe unchanged; it is critical', () => {
    const vm = compileOne(fixture('openshift/http-liveness.yaml'), host);
    expect(vm.probes[0]).toMatchObject({
      name: 'liveness',
      role: 'liveness',
      critical: true,
      check: { kind: 'httpGet' },
    });
  });

  it('loads the guest agent ping unchanged', () => {
    const vm = compileOne(fixture('openshift/guest-agent-readiness.yaml'), host);
    expect(vm.probes[0]).toMatchObject({ role: 'readiness', check: { kind: 'guestAgentPing' } });
    expect(vm.hypervisor.guestAgent).toBe(true);
  });

  it('loads an exec probe, which KubeVirt has beside those of the page', () => {
    const vm = compileOne(fixture('openshift/exec-readiness.yaml'), host);
    const exec = { command: ['cat', '/tmp/healthy'], exitCodes: [0] };
    expect(vm.probes[0]).toMatchObject({ role: 'readiness', check: { kind: 'exec', exec } });
  });

  it('says what it takes a missing runStrategy for', () => {
    const { vms, warnings } = compile(fixture('openshift/tcp-readiness.yaml'), host);
    expect(vms[0]?.runStrategy).toBe('Manual');
    expect(warnings).toEqual([
      '1.yaml:9:3 spec: has neither runStrategy nor running; taken as Manual, so vmpulse does not start this VM by itself',
    ]);
  });

  const watchdog = fixture('openshift/watchdog.yaml');

  it('refuses the watchdog example and names each placeholder with its choices', () => {
    expect(problemsOf(() => compile(watchdog)).split('\n')).toEqual([
      '1.yaml:5:21 metadata.labels["kubevirt.io/vm"]: is still the placeholder <vm-label>; write text such as web',
      '1.yaml:6:9 metadata.name: is still the placeholder <vm-name>; write a name such as web-1',
      '1.yaml:12:25 spec.template.metadata.labels["kubevirt.io/vm"]: is still the placeholder <vm-label>; write text such as web',
      '1.yaml:17:19 spec.template.spec.domain.devices.watchdog.name: is still the placeholder <watchdog>; write text such as watchdog',
      '1.yaml:18:13 spec.template.spec.domain.devices.watchdog["<watchdog-device-model>"]: is still the placeholder <watchdog-device-model>; write the device model, i6300esb for x86 or diag288 for s390x',
    ]);
  });

  it('loads the watchdog example once it is filled in', () => {
    const filled = watchdog
      .replaceAll('<vm-label>', 'rhel')
      .replace('<vm-name>', 'rhel-vm')
      .replace('<watchdog>', 'mywatchdog')
      .replace('<watchdog-device-model>', 'i6300esb');
    const vm = compileOne(
      filled,
      host.replace('name: fedora-vm\n  namespace: example-namespace', 'name: rhel-vm'),
    );
    expect(vm.runStrategy).toBe('Halted');
    expect(vm.labels).toEqual({ 'kubevirt.io/vm': 'rhel' });
    expect(vm.hypervisor).toMatchObject({
      watchdog: { name: 'mywatchdog', model: 'i6300esb', action: 'poweroff' },
    });
  });
});
