import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../scripts/lib/run.mjs';
import { LAB_FILES } from './image/layout.mjs';

/** The program that runs lab VMs. */
const QEMU = 'qemu-system-x86_64';

/** What a lab VM's guest offers. */
export const LAB_GUEST = {
  memoryMib: 128,
  hostRootMemoryMib: 512,
  httpPort: 8080,
  healthPath: '/healthz',
  bootIdPath: '/cgi-bin/bootid',
  faultPath: '/cgi-bin/fault',
  agentPortName: 'org.qemu.guest_agent.0',
  vmpulseAgentPortName: 'org.vmpulse.agent.0',
  /** The line that the guest prints on its console once all its services run. */
  readyPattern: /^READY boot_id=(\S+)/m,
};

/**
 * Whether lab VMs can run here, and from what.
 *
 * @returns {{ ok: true, qemu: string, kernel: string, initrd: string, release: string } | { ok: false, reason: string }}
 */
export function labAvailable() {
  const qemu = findProgram(QEMU);
  if (qemu === undefined)
    return { ok: false, reason: `${QEMU} is not installed; run: node scripts/setup.mjs` };
  try {
    const { release } = JSON.parse(readFileSync(LAB_FILES.facts, 'utf8'));
    return { ok: true, qemu, kernel: LAB_FILES.kernel, initrd: LAB_FILES.initrd, release };
  } catch (error) {
    return {
      ok: false,
      reason: `there is no lab image (${error.code ?? error.message}); run: node scripts/setup.mjs`,
    };
  }
}

/**
 * The kernel line of a lab VM.
 *
 * @param {{ watchdogSeconds?: number, address?: string, modules?: readonly string[] }} [options]
 *   `watchdogSeconds`: the guest feeds its watchdog, which fires that long after feeding stops;
 *   `address`: of eth0 with its prefix, default that of QEMU's user network;
 *   `modules`: further module groups of the image (mmio, vsock, 9p)
 */
export function labKernelLine({ watchdogSeconds, address, modules = [] } = {}) {
  const words = ['console=ttyS0', 'panic=0', 'mitigations=off', 'cryptomgr.notests', 'quiet'];
  if (watchdogSeconds !== undefined) words.push(`vmp.wd=${watchdogSeconds}`);
  if (address !== undefined) words.push(`vmp.ip=${address}`);
  if (modules.length > 0) words.push(`vmp.modules=${modules.join(',')}`);
  return words.join(' ');
}

/** The files of one lab VM in its folder. */
export function labVmFiles(name, dir) {
  return {
    qmp: join(dir, `${name}.qmp`),
    qga: join(dir, `${name}.qga`),
    agent: join(dir, `${name}.vma`),
    console: join(dir, `${name}.log`),
    output: join(dir, `${name}.out`),
  };
}

/**
 * The arguments of QEMU for a lab VM: q35 under TCG with one virtio network card on QEMU's user network, the
 * agent's port, a watchdog and pvpanic, both of which pause the VM.
 *
 * @param {{ name: string, dir: string, httpPort: number, watchdogSeconds?: number, modules?: readonly string[], hostRoot?: boolean, initrd?: string }} vm
 *   `httpPort`: on the host's loopback, leads to the guest's web server;
 *   `hostRoot`: the guest can mount this host's files, read-only, by 9p as `hostroot` (module group 9p), and has
 *   the memory to run its programs;
 *   `initrd`: one of its own, see with-agent.mjs; the VM then has a port for vmpulse's agent, too
 * @returns {string[]}
 */
export function labQemuArguments({
  name,
  dir,
  httpPort,
  watchdogSeconds,
  modules,
  hostRoot = false,
  initrd,
}) {
  const files = labVmFiles(name, dir);
  const memoryMib = hostRoot ? LAB_GUEST.hostRootMemoryMib : LAB_GUEST.memoryMib;
  const root = 'local,id=h,path=/,security_model=none,readonly=on,multidevs=remap';
  return [
    ['-name', `${name},debug-threads=on`],
    ['-M', 'q35,smm=off,hpet=off'],
    ['-accel', 'tcg,tb-size=32'],
    ['-cpu', 'max'],
    ['-m', `${memoryMib}`],
    ['-smp', '1'],
    ['-nodefaults', '-no-user-config'],
    ['-display', 'none'],
    ['-serial', `file:${files.console}`],
    ['-kernel', LAB_FILES.kernel],
    ['-initrd', initrd ?? LAB_FILES.initrd],
    ['-append', labKernelLine({ watchdogSeconds, modules })],
    ['-netdev', `user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:${httpPort}-:${LAB_GUEST.httpPort}`],
    ['-device', 'virtio-net-pci,netdev=n0,romfile='],
    ['-device', 'virtio-serial-pci'],
    ['-chardev', `socket,path=${files.qga},server=on,wait=off,id=qga0`],
    ['-device', `virtserialport,chardev=qga0,name=${LAB_GUEST.agentPortName}`],
    ...(initrd === undefined ? [] : vmpulseAgentPort(files.agent)),
    ['-device', 'i6300esb,id=wd0'],
    ['-device', 'pvpanic-pci'],
    ['-action', 'watchdog=pause'],
    ['-action', 'panic=pause'],
    ['-qmp', `unix:${files.qmp},server=on,wait=off`],
    ...(hostRoot
      ? [
          ['-fsdev', root],
          ['-device', 'virtio-9p-pci,fsdev=h,mount_tag=hostroot'],
        ]
      : []),
  ].flat();
}

function vmpulseAgentPort(path) {
  return [
    ['-chardev', `socket,path=${path},server=on,wait=off,id=vma0`],
    ['-device', `virtserialport,chardev=vma0,name=${LAB_GUEST.vmpulseAgentPortName}`],
  ];
}
