import { stringify } from 'yaml';
import { LAB_GUEST, labKernelLine } from '../lab/vm.mjs';

const WATCHDOG_SECONDS = 10;

/** The daemon's configuration: everything of the demonstration in one folder, recovery switched on. */
export function daemonConfig(world) {
  return stringify({
    stateDir: `${world.dir}/state`,
    runDir: `${world.dir}/run`,
    manifests: ['vms.d'],
    recovery: { enabled: true, stableFor: '3s', grace: '60s' },
  });
}

/** A lab guest as it would stand in a cluster. */
export function labManifest(metadata) {
  const httpGet = { port: LAB_GUEST.httpPort, path: LAB_GUEST.healthPath };
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata,
    spec: {
      runStrategy: 'Always',
      template: {
        spec: {
          domain: { devices: { watchdog: { name: 'watchdog', i6300esb: { action: 'poweroff' } } } },
          readinessProbe: { httpGet, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 2 },
        },
      },
    },
  };
}

/** One VM: a KubeVirt manifest as it would stand in a cluster, and what this host adds to it. */
export function vmDocuments(vm, lab) {
  const metadata = { name: vm.name, namespace: 'demo' };
  const httpGet = { port: LAB_GUEST.httpPort, path: LAB_GUEST.healthPath };
  const manifest = labManifest(metadata);
  const host = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata,
    spec: {
      uuid: vm.uuid,
      hypervisor: {
        qemu: {
          machine: 'q35,smm=off,hpet=off',
          accel: 'tcg',
          memory: `${LAB_GUEST.memoryMib}Mi`,
          kernel: {
            image: lab.kernel,
            initrd: lab.initrd,
            append: labKernelLine({ watchdogSeconds: WATCHDOG_SECONDS }),
          },
          interfaces: [{ user: { forwards: [{ hostPort: vm.port, guestPort: LAB_GUEST.httpPort }] } }],
          // The guest stays as it is until the evidence is saved.
          watchdog: { action: 'pause' },
        },
      },
      livenessProbe: { httpGet, periodMs: 1000, timeoutMs: 800, failureThreshold: 3 },
      probes: [
        { name: 'agent', guestAgentPing: {}, periodMs: 1000, timeoutMs: 800 },
        {
          name: 'process',
          vmmProcess: {},
          periodMs: 500,
          timeoutMs: 400,
          failureThreshold: 2,
          critical: true,
        },
      ],
      recovery: { restartService: ['/sbin/svc', 'restart', 'httpd'] },
    },
  };
  return `${stringify(manifest)}---\n${stringify(host)}`;
}
