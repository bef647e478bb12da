import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { labManifest } from '../demo/manifests.mjs';
import { until } from '../demo/wait.mjs';
import { LAB_GUEST, labKernelLine } from '../lab/vm.mjs';

export const BRIDGE = 'vmpc0';
const NET = '10.78.0';
/** Slow emulation on shared cores is no fault: a fed watchdog must not fire. */
const WATCHDOG_SECONDS = 30;
const DISK_BYTES = 1024 * 1024;
const DISKS_MIB = 48;
const UNMOUNT_DEADLINE_MS = 30_000;

/** A folder with everything that the daemon gets, and a file system of its own for the disks of the VMs. */
export function createWorld(lab, count) {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-chaos-'));
  const disks = mountDisks(dir);
  const vms = Array.from({ length: count }, (_, i) => {
    const name = `vm-${i + 1}`;
    const address = `${NET}.${i + 11}`;
    return {
      id: `chaos/${name}`,
      name,
      uuid: randomUUID(),
      tap: `vmpc-t${i + 1}`,
      address,
      url: `http://${address}:${LAB_GUEST.httpPort}`,
      disk: join(disks, `${name}.img`),
      qmpSocket: join(dir, 'run', 'vms', 'chaos', name, 'qmp.sock'),
    };
  });
  const world = {
    dir,
    disks,
    socket: join(dir, 'run', 'vmpulse.sock'),
    config: join(dir, 'config.yaml'),
    vms,
  };
  mkdirSync(join(dir, 'vms.d'));
  writeFileSync(world.config, daemonConfig(world));
  for (const vm of vms) {
    writeFileSync(vm.disk, '');
    truncateSync(vm.disk, DISK_BYTES);
    writeFileSync(join(dir, 'vms.d', `${vm.name}.yaml`), vmDocuments(vm, lab));
  }
  return world;
}

/** The disks lie on a file system in a file, so that it can be frozen as a storage that hangs. */
function mountDisks(dir) {
  const image = join(dir, 'disks.ext4');
  const folder = join(dir, 'disks');
  mkdirSync(folder);
  writeFileSync(image, '');
  truncateSync(image, DISKS_MIB * 1024 * 1024);
  must('mkfs.ext4', '-q', '-F', image);
  must('mount', '-o', 'loop', image, folder);
  return folder;
}

/** Whoever had a file open there closes it a moment after it is seen to be dead. */
export async function unmountDisks({ disks }) {
  await until('the disks to be free', UNMOUNT_DEADLINE_MS, () => {
    must('umount', disks);
    return true;
  });
}

export function must(program, ...args) {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

function daemonConfig(world) {
  return stringify({
    stateDir: `${world.dir}/state`,
    runDir: `${world.dir}/run`,
    manifests: ['vms.d'],
    networks: [{ bridge: BRIDGE, address: `${NET}.1/24` }],
    recovery: { enabled: true, stableFor: '3s', grace: '60s', maxPer24h: 100 },
    // Three faults at a time are three faults here; more than that at once is an incident.
    limits: {
      sharedCauseFrom: 4,
      brakeRatio: 0.5,
      brakeFrom: 5,
      brakeCooldown: '5s',
      bootsPerMinute: 60,
      concurrentRecoveries: 3,
    },
  });
}

function vmDocuments(vm, lab) {
  const metadata = { name: vm.name, namespace: 'chaos' };
  const httpGet = { port: LAB_GUEST.httpPort, path: LAB_GUEST.healthPath };
  const manifest = labManifest(metadata);
  const host = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata,
    spec: {
      uuid: vm.uuid,
      address: vm.address,
      hypervisor: {
        qemu: {
          machine: 'q35,smm=off,hpet=off',
          accel: 'tcg',
          memory: `${LAB_GUEST.memoryMib}Mi`,
          kernel: {
            image: lab.kernel,
            initrd: lab.initrd,
            append: labKernelLine({ watchdogSeconds: WATCHDOG_SECONDS, address: `${vm.address}/24` }),
          },
          disks: [{ name: 'data', path: vm.disk, format: 'raw' }],
          interfaces: [{ tap: { device: vm.tap, bridge: BRIDGE, create: true } }],
          watchdog: { action: 'pause' },
        },
      },
      livenessProbe: { httpGet, periodMs: 2000, timeoutMs: 1500, failureThreshold: 3 },
      probes: [
        { name: 'ping', icmp: {}, periodMs: 2000, timeoutMs: 1500 },
        { name: 'agent', guestAgentPing: {}, periodMs: 2000, timeoutMs: 1500 },
        {
          name: 'vcpus',
          vcpuProgress: { stalledAfterSeconds: 4 },
          periodMs: 2000,
          timeoutMs: 1500,
          failureThreshold: 1,
        },
      ],
      // A guest that writes its disk once a second is known to live as long as it does.
      recovery: { restartService: ['/sbin/svc', 'restart', 'httpd'], vetoWindow: '10s', wedgedAfter: '20s' },
    },
  };
  return `${stringify(manifest)}---\n${stringify(host)}`;
}
