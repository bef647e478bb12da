import { describe, expect, it } from 'vitest';
import type { Severity } from '../../../src/doctor/finding.js';
import { CHECKS } from '../../../src/doctor/registry.js';
import { type Described, find } from './fake-host.js';

/** What a check finds: severity, subject where there is one, and a part of what it says. */
type Expected = readonly [severity: Severity, seen: string, subject?: string];
type Case = readonly [check: string, what: string, host: Described, ...found: Expected[]];

const KVM = { '/dev/kvm': { mode: 0o660, gid: 104 } };
const GROUPS = { '/etc/group': 'root:x:0:\nkvm:x:104:ann\n' };
const LIBVIRT_URI = 'qemu+unix:///system?socket=/run/lv.sock';
const LIBVIRT_VMS = { demand: { libvirts: new Map([[LIBVIRT_URI, ['default/web-1']]]) } };
const TAPS = [{ vm: 'default/web-1', device: 'tap0' }];
const caps = (mask: string) => ({ '/proc/self/status': `Name:\tnode\nCapEff:\t${mask}\n` });
const ALL = caps('000001ffffffffff');
const NONE = caps('0000000000000000');
const limits = (name: string, hard: string) => ({
  '/proc/self/limits': `Limit  Soft Limit  Hard Limit  Units\n${name.padEnd(26)}1024                 ${hard.padEnd(21)}files\n`,
});
const meminfo = (available: number, more = '') => ({
  '/proc/meminfo': `MemTotal:       8388608 kB\nMemFree:        1 kB\nMemAvailable:   ${available} kB\n${more}`,
});
const psi = (some: number, full: number) =>
  `some avg10=${some} avg60=1.00 avg300=0.00 total=1\nfull avg10=${full} avg60=2.00 avg300=0.00 total=1\n`;
const space = (free: number, inodes = 100, freeInodes = 50) => ({
  'stat -f': `4096 1000000 ${free} ${inodes} ${freeInodes}\n`,
});
const cpu = (flags: string) => ({ '/proc/cpuinfo': `processor\t: 0\nflags\t\t: fpu ${flags} sse\n` });
const net = (name: string, files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([file, text]) => [`/sys/class/net/${name}/${file}`, text]));

const CASES: readonly Case[] = [
  ['configuration', 'none', {}, ['info', 'none was read']],
  [
    'configuration',
    'valid',
    { demand: { source: '/etc/c.yaml', vms: 3 } },
    ['ok', '/etc/c.yaml is valid, 3 VMs'],
  ],
  [
    'configuration',
    'invalid',
    { demand: { problem: 'c.yaml:1:1: is bad' } },
    ['error', 'c.yaml:1:1: is bad'],
  ],

  [
    'kvm-device',
    'with its module',
    { devices: KVM, files: { '/sys/module/kvm_intel/x': '' } },
    ['ok', 'kvm_intel'],
  ],
  ['kvm-device', 'built in', { devices: KVM }, ['ok', 'built into the kernel']],
  ['kvm-device', 'missing', {}, ['warning', 'no /dev/kvm, and no module']],
  ['kvm-device', 'a file', { files: { '/dev/kvm': '' } }, ['warning', 'is no device']],
  [
    'kvm-device',
    'no node',
    { files: { '/sys/module/kvm_amd/x': '' } },
    ['warning', 'kvm_amd is loaded, /dev/kvm is missing'],
  ],
  ['kvm-device', 'missing and wanted', { demand: { kvmOnly: ['lab/a'] } }, ['error', 'lab/a need it']],

  ['kvm-permission', 'root', { devices: KVM, files: GROUPS }, ['ok', 'mode 0660, group kvm']],
  [
    'kvm-permission',
    'of the group',
    { devices: KVM, files: GROUPS, user: { uid: 7, gids: [7, 104] } },
    ['ok', 'may open it'],
  ],
  [
    'kvm-permission',
    'not of the group',
    { devices: KVM, files: GROUPS, user: { uid: 7, gids: [7] } },
    ['error', 'may not open it'],
  ],
  [
    'kvm-permission',
    'everybody',
    { devices: { '/dev/kvm': { mode: 0o666, gid: 104 } }, files: GROUPS },
    ['warning', 'everybody may open it'],
  ],
  ['kvm-permission', 'no device', {}, ['info', 'there is no /dev/kvm']],

  ['kvm-canary', 'runs', { devices: KVM }, ['ok', 'in 1.0 ms']],
  [
    'kvm-canary',
    'does not run',
    { devices: KVM, canary: { ok: false, why: 'deadline: x' } },
    ['warning', 'did not run: deadline'],
  ],
  [
    'kvm-canary',
    'does not run and is wanted',
    { devices: KVM, canary: { ok: false, why: 'x' }, demand: { kvmOnly: ['a/b'] } },
    ['error', 'did not run'],
  ],
  [
    'kvm-canary',
    'without the addon',
    { devices: KVM, addon: { loaded: false, why: 'x' } },
    ['info', 'the kernel addon is missing'],
  ],
  ['kvm-canary', 'without a device', {}, ['info', 'there is no /dev/kvm']],

  ['cpu-virtualization', 'vmx', { files: cpu('vmx') }, ['ok', 'the CPU has vmx']],
  [
    'cpu-virtualization',
    'nested svm',
    { files: cpu('svm hypervisor') },
    ['ok', 'svm; this host is a guest itself'],
  ],
  ['cpu-virtualization', 'neither', { files: cpu('svmx') }, ['warning', 'neither vmx nor svm']],
  [
    'cpu-virtualization',
    'neither, wanted',
    { files: cpu(''), demand: { kvmOnly: ['a/b'] } },
    ['error', 'a/b ask for KVM'],
  ],
  [
    'cpu-virtualization',
    'other processors',
    { files: { '/proc/cpuinfo': 'Features : fp\n' } },
    ['info', 'does not list flags'],
  ],

  [
    'nested',
    'on',
    { files: { '/sys/module/kvm_intel/parameters/nested': 'Y\n' } },
    ['info', 'guests may run KVM'],
  ],
  [
    'nested',
    'off',
    { files: { '/sys/module/kvm_amd/parameters/nested': '0\n' } },
    ['info', 'guests cannot run KVM'],
  ],
  ['nested', 'no module', {}, ['info', 'no module']],
  [
    'apic-virtualization',
    'APICv',
    { files: { '/sys/module/kvm_intel/parameters/enable_apicv': 'Y\n' } },
    ['info', 'enable_apicv of kvm_intel is on'],
  ],
  [
    'apic-virtualization',
    'AVIC',
    { files: { '/sys/module/kvm_amd/parameters/avic': 'N\n' } },
    ['info', 'avic of kvm_amd is off'],
  ],
  ['apic-virtualization', 'no module', {}, ['info', 'no module']],

  [
    'vmm-programs',
    'nothing',
    {},
    ['warning', 'no VMM on this host'],
    ['info', 'not found', 'qemu'],
    ['info', '', 'cloud-hypervisor'],
    ['info', '', 'firecracker'],
    ['info', '', 'virsh'],
    ['info', '', 'libvirtd'],
  ],
  [
    'vmm-programs',
    'virsh alone',
    { programs: ['virsh'], runs: { '/usr/bin/virsh': '9.0.0\n' } },
    ['warning', 'no VMM on this host'],
    ['info', '', 'qemu'],
    ['info', '', 'cloud-hypervisor'],
    ['info', '', 'firecracker'],
    ['ok', '/usr/bin/virsh: 9.0.0', 'virsh'],
    ['info', '', 'libvirtd'],
  ],
  [
    'vmm-programs',
    'versions, one that hangs, one that fails',
    {
      programs: ['qemu-system-x86_64', 'cloud-hypervisor', 'firecracker'],
      runs: {
        '/usr/bin/qemu': 'QEMU 7.2\nCopyright',
        '/usr/bin/cloud': { why: 'did not end' },
        '/usr/bin/fire': { code: 1, stderr: 'no\n' },
      },
    },
    ['ok', '/usr/bin/qemu-system-x86_64: QEMU 7.2', 'qemu-system-x86_64'],
    ['warning', 'did not end', 'cloud-hypervisor'],
    ['warning', 'ended with status 1: no', 'firecracker'],
    ['info', '', 'virsh'],
    ['info', '', 'libvirtd'],
  ],
  ...(
    [
      ['v50.1', 'warning', 'v50.1 guesses the format of disks'],
      ['v51.0', 'ok', 'v51.0'],
      ['v52.0-dirty', 'ok', 'v52.0-dirty'],
    ] as const
  ).map(
    ([version, severity, seen]): Case => [
      'vmm-programs',
      `Cloud Hypervisor ${version}`,
      { programs: ['cloud-hypervisor'], runs: { '/usr/bin/cloud': `cloud-hypervisor ${version}\n` } },
      ['info', 'not found', 'qemu'],
      [severity, seen, 'cloud-hypervisor'],
      ['info', '', 'firecracker'],
      ['info', '', 'virsh'],
      ['info', '', 'libvirtd'],
    ],
  ),
  [
    'vmm-programs',
    'a program that VMs name is missing',
    {
      programs: ['qemu-system-x86_64'],
      runs: { '/usr/bin/qemu': 'QEMU 7.2' },
      demand: { programs: new Map([['/opt/qemu', ['a/b', 'a/c']]]) },
    },
    ['ok', '', 'qemu-system-x86_64'],
    ['info', '', 'cloud-hypervisor'],
    ['info', '', 'firecracker'],
    ['info', '', 'virsh'],
    ['info', '', 'libvirtd'],
    ['error', 'a/b, a/c run on it', '/opt/qemu'],
  ],

  ['addons', 'there', {}, ['ok', '/addon.node', 'engine'], ['ok', '/addon.node', 'kernel']],
  [
    'addons',
    'missing',
    { addon: { loaded: false, why: 'tried:\n  x' } },
    ['warning', 'tried:   x', 'engine'],
    ['warning', '', 'kernel'],
  ],
  ['service-manager', 'none', {}, ['info', 'systemd does not run here']],
  [
    'service-manager',
    'systemd',
    { files: { '/run/systemd/system/x': '' }, programs: ['systemd-run'] },
    ['ok', 'systemd runs'],
  ],
  [
    'service-manager',
    'without systemd-run',
    { files: { '/run/systemd/system/x': '' } },
    ['info', 'systemd-run is missing'],
  ],

  [
    'folders-writable',
    'of one the file system is read-only',
    {
      files: {
        '/proc/self/mounts':
          'dev / ext4 ro 0 0\ntmpfs /run tmpfs rw,nosuid 0 0\ndev /var/lib/vm ext4 rw 0 0\n',
      },
    },
    ['error', '/ is mounted read-only', '/var/lib/vmpulse'],
    ['ok', '/run is mounted for writing', '/run/vmpulse'],
  ],
  [
    'folders-writable',
    'a later mount covers an earlier one, with a space in its name',
    {
      files: { '/proc/self/mounts': 'd / ext4 rw 0 0\nd /a\\040b ext4 ro 0 0\nd /a\\040b ext4 rw 0 0\n' },
      demand: { stateDir: '/a b/state', runDir: '/a b/state' },
    },
    ['ok', '/a b is mounted for writing', '/a b/state'],
  ],
  [
    'disk-space',
    'enough',
    { runs: space(500_000) },
    ['ok', '1.9 GiB of 3.8 GiB are free (50 %)', '/var/lib/vmpulse'],
    ['ok', '', '/run/vmpulse'],
  ],
  [
    'disk-space',
    'little',
    { runs: space(90_000), demand: { runDir: '/var/lib/vmpulse' } },
    ['warning', '(9 %)', '/var/lib/vmpulse'],
  ],
  [
    'disk-space',
    'none',
    { runs: space(0), demand: { runDir: '/var/lib/vmpulse', diskFolders: ['/images'] } },
    ['error', '0 B of', '/var/lib/vmpulse'],
    ['error', '', '/images'],
  ],
  [
    'disk-space',
    'storage that hangs',
    { runs: { 'stat -f': { why: 'did not end within 4000 ms' } }, demand: { runDir: '/var/lib/vmpulse' } },
    ['warning', 'did not end', '/var/lib/vmpulse'],
  ],
  [
    'disk-space',
    'a folder that does not exist yet',
    {
      runs: { 'stat -f -c %S %b %a %c %d /srv/x': { code: 1, stderr: 'none' }, ...space(500_000) },
      demand: { stateDir: '/srv/x', runDir: '/srv/x' },
    },
    ['ok', '(50 %)', '/srv/x'],
  ],
  [
    'disk-inodes',
    'enough',
    { runs: space(1), demand: { runDir: '/var/lib/vmpulse' } },
    ['ok', '50 of 100 inodes are free (50 %)', '/var/lib/vmpulse'],
  ],
  [
    'disk-inodes',
    'few',
    { runs: space(1, 1000, 49), demand: { runDir: '/var/lib/vmpulse' } },
    ['warning', '(4 %)', '/var/lib/vmpulse'],
  ],
  [
    'disk-inodes',
    'none',
    { runs: space(1, 1000, 9), demand: { runDir: '/var/lib/vmpulse' } },
    ['error', '(0 %)', '/var/lib/vmpulse'],
  ],
  [
    'disk-inodes',
    'made as needed',
    { runs: space(1, 0, 0), demand: { runDir: '/var/lib/vmpulse' } },
    ['ok', 'as many as it needs', '/var/lib/vmpulse'],
  ],

  ['memory', 'enough', { files: meminfo(4_194_304) }, ['ok', '4.0 GiB of 8.0 GiB are available (50 %)']],
  ['memory', 'little', { files: meminfo(800_000) }, ['warning', '(10 %)']],
  ['memory', 'none', { files: meminfo(200_000) }, ['error', '(2 %)']],
  [
    'memory',
    'too many guests',
    { files: meminfo(4_194_304), demand: { memoryMiB: 8192 } },
    ['ok', ''],
    ['warning', '8.0 GiB of 8.0 GiB', 'guests'],
  ],
  [
    'memory',
    'few guests',
    { files: meminfo(4_194_304), demand: { memoryMiB: 1024 } },
    ['ok', ''],
    ['ok', '1.0 GiB of', 'guests'],
  ],
  ['memory', 'unknown', {}, ['info', 'does not say']],
  [
    'pressure',
    'each by its own line',
    {
      files: {
        '/proc/pressure/cpu': psi(91, 0),
        '/proc/pressure/memory': psi(5, 99),
        '/proc/pressure/io': psi(99, 41),
      },
    },
    ['warning', 'something waited 91 %', 'cpu'],
    ['ok', '5 %', 'memory'],
    ['warning', 'everything waited 41 %', 'io'],
  ],
  ['pressure', 'not told', {}, ['info', 'does not tell', 'cpu'], ['info', '', 'memory'], ['info', '', 'io']],
  [
    'load',
    'fine',
    { files: { '/proc/loadavg': '9.00 7.90 1.00 1/2 3\n', '/proc/stat': 'cpu  1\ncpu0 1\ncpu1 1\n' } },
    ['ok', '7.9 over 5 minutes on 2 CPUs'],
  ],
  [
    'load',
    'high',
    { files: { '/proc/loadavg': '1.00 8.10 1.00 1/2 3\n', '/proc/stat': 'cpu  1\ncpu0 1\ncpu1 1\n' } },
    ['warning', '8.1 over'],
  ],
  ['load', 'unknown', {}, ['info', 'does not say']],

  [
    'limit-nofile',
    'enough',
    { files: limits('Max open files', '65536'), demand: { openFiles: 4352 } },
    ['ok', '65536 may be open here, up to 4352'],
  ],
  [
    'limit-nofile',
    'tight',
    { files: limits('Max open files', '5000'), demand: { openFiles: 4352 } },
    ['warning', '5000'],
  ],
  [
    'limit-nofile',
    'too few',
    { files: limits('Max open files', '4096'), demand: { openFiles: 4352 } },
    ['error', '4096'],
  ],
  ['limit-nofile', 'no limit', { files: limits('Max open files', 'unlimited') }, ['ok', 'unlimited']],
  ['limit-nofile', 'unknown', {}, ['info', 'does not say']],
  ['limit-memlock', 'no limit', { files: limits('Max locked memory', 'unlimited') }, ['ok', 'unlimited']],
  ['limit-memlock', 'some', { files: limits('Max locked memory', '65536') }, ['info', '65536 bytes']],
  ['limit-memlock', 'unknown', {}, ['info', 'does not say']],
  [
    'limit-nproc',
    'root is not held to it',
    {
      files: {
        ...limits('Max processes', '10'),
        '/proc/sys/kernel/pid_max': '32768\n',
        '/proc/sys/kernel/threads-max': '90000\n',
      },
      demand: { threads: 20 },
    },
    ['ok', '10 are allowed', 'user'],
    ['ok', '32768 on this host', 'host'],
  ],
  [
    'limit-nproc',
    'too few for a user',
    {
      files: { ...limits('Max processes', '10'), ...NONE },
      user: { uid: 7, gids: [] },
      demand: { threads: 20 },
    },
    ['error', '10 are allowed', 'user'],
    ['info', 'does not say', 'host'],
  ],
  [
    'limit-nproc',
    'too few on the host',
    { files: { '/proc/sys/kernel/pid_max': '100\n' }, demand: { threads: 51 } },
    ['info', '', 'user'],
    ['warning', '100 on this host', 'host'],
  ],

  ['raw-sockets', 'allowed', { files: ALL }, ['ok', 'may open them']],
  ['raw-sockets', 'not allowed, not needed', { files: NONE }, ['info', 'may not open them']],
  [
    'raw-sockets',
    'only that bit is missing, and needed',
    { files: caps('000001ffffffdfff'), demand: { rawProbes: ['a/b/ping'] } },
    ['error', 'needed by a/b/ping'],
  ],
  ['raw-sockets', 'unknown', {}, ['info', 'does not say']],
  [
    'ports',
    'enough',
    { files: { '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n' } },
    ['ok', '28232 ports'],
  ],
  [
    'ports',
    'few',
    {
      files: { '/proc/sys/net/ipv4/ip_local_port_range': '32768\t33767\n' },
      demand: { connectionsAtOnce: 501, connectionsPerSecond: 3.2 },
    },
    ['warning', '1000 ports; probes make 4 connections a second, up to 501'],
  ],
  ['ports', 'unknown', {}, ['info', 'does not say']],
  ['conntrack', 'not there', {}, ['ok', 'not tracked']],
  ...(
    [
      ['room', 100, 0, 'ok'],
      ['half', 600, 0, 'info'],
      ['probes fill it', 100, 75, 'warning'],
      ['full', 960, 0, 'error'],
    ] as const
  ).map(
    ([what, count, rate, severity]): Case => [
      'conntrack',
      what,
      {
        files: {
          '/proc/sys/net/netfilter/nf_conntrack_count': `${count}\n`,
          '/proc/sys/net/netfilter/nf_conntrack_max': '1000\n',
        },
        demand: { connectionsPerSecond: rate },
      },
      [severity, `${count} of 1000 are in use, probes need up to ${rate * 10}`],
    ],
  ),
  [
    'neighbours',
    'room',
    { files: { '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n' }, demand: { vms: 512 } },
    ['ok', '1024 entries, 512 VMs'],
  ],
  [
    'neighbours',
    'too many',
    { files: { '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n' }, demand: { vms: 513 } },
    ['warning', '513 VMs'],
  ],
  ['neighbours', 'unknown', {}, ['info', 'does not say']],

  ['tun', 'there', { devices: { '/dev/net/tun': { mode: 0o600 } } }, ['ok', 'is there']],
  [
    'tun',
    'not for this user',
    { devices: { '/dev/net/tun': { mode: 0o600 } }, user: { uid: 7, gids: [] } },
    ['warning', 'may not open it'],
  ],
  ['tun', 'missing', {}, ['info', 'only user-mode networking']],
  ['tun', 'missing and needed', { demand: { taps: TAPS } }, ['error', 'default/web-1 have a TAP device']],
  ['tap', 'may make them', { files: ALL }, ['ok', 'may make TAP devices']],
  ['tap', 'may not', { files: NONE }, ['info', 'may not make']],
  [
    'tap',
    'missing',
    { files: NONE, demand: { taps: TAPS } },
    ['warning', 'may not make'],
    ['error', 'no such device; default/web-1', 'tap0'],
  ],
  [
    'tap',
    'no TAP',
    { files: { ...ALL, ...net('tap0', { flags: '0x1003\n' }) }, demand: { taps: TAPS } },
    ['ok', ''],
    ['error', 'is no TAP device', 'tap0'],
  ],
  [
    'tap',
    'down',
    { files: { ...ALL, ...net('tap0', { flags: '0x1002\n', tun_flags: '0x2\n' }) }, demand: { taps: TAPS } },
    ['ok', ''],
    ['warning', 'is down', 'tap0'],
  ],
  [
    'tap',
    'on no bridge',
    { files: { ...ALL, ...net('tap0', { flags: '0x1003\n', tun_flags: '0x2\n' }) }, demand: { taps: TAPS } },
    ['ok', ''],
    ['info', 'on no bridge', 'tap0'],
  ],
  [
    'tap',
    'on a bridge',
    {
      files: { ...ALL, ...net('tap0', { flags: '0x1003\n', tun_flags: '0x2\n', 'brport/state': '3\n' }) },
      demand: { taps: TAPS },
    },
    ['ok', ''],
    ['ok', 'up, on a bridge', 'tap0'],
  ],
  ['bridges', 'none', { files: net('eth0', { flags: '0x1003' }) }, ['info', 'no bridge']],
  ['bridges', 'none, wanted', { demand: { taps: TAPS } }, ['warning', 'no bridge']],
  [
    'bridges',
    'up and down',
    {
      files: {
        ...net('br0', { flags: '0x1003', 'bridge/x': '', 'brif/tap0': '', 'brif/tap1': '' }),
        ...net('br1', { flags: '0x1002', 'bridge/x': '' }),
      },
    },
    ['ok', 'is up, 2 ports', 'br0'],
    ['warning', 'is down, 0 ports', 'br1'],
  ],
  [
    'ip-forward',
    'on and off',
    { files: { '/proc/sys/net/ipv4/ip_forward': '1\n', '/proc/sys/net/ipv6/conf/all/forwarding': '0\n' } },
    ['ok', 'is on', 'IPv4'],
    ['info', 'is off', 'IPv6'],
  ],
  [
    'ip-forward',
    'off and wanted',
    { files: { '/proc/sys/net/ipv4/ip_forward': '0\n' }, demand: { taps: TAPS } },
    ['warning', 'is off', 'IPv4'],
    ['info', 'no such family', 'IPv6'],
  ],
  ['nat', 'without nft', { programs: ['iptables'] }, ['info', 'nft is not installed (iptables is there)']],
  [
    'nat',
    'without nft, wanted',
    { demand: { taps: TAPS } },
    ['warning', 'nft is not installed (nor iptables)'],
  ],
  [
    'nat',
    'masquerades',
    {
      programs: ['nft'],
      runs: { '/usr/bin/nft list ruleset': 'table ip nat {\n oifname "eth0" masquerade\n}' },
    },
    ['ok', 'a rule masquerades'],
  ],
  [
    'nat',
    'does not',
    { programs: ['nft'], runs: { '/usr/bin/nft list ruleset': 'table ip masquerader {}' } },
    ['info', 'no rule masquerades'],
  ],
  [
    'nat',
    'cannot be asked',
    { programs: ['nft'], runs: { '/usr/bin/nft': { code: 1, stderr: 'Operation not permitted\n' } } },
    ['info', 'Operation not permitted'],
  ],
  [
    'nat',
    'hangs',
    { programs: ['nft'], runs: { '/usr/bin/nft': { why: 'did not end' } } },
    ['warning', 'did not end'],
  ],
  ['vsock', 'there', { devices: { '/dev/vhost-vsock': { mode: 0o600 } } }, ['ok', 'is there']],
  ['vsock', 'missing', {}, ['info', 'no /dev/vhost-vsock']],
  ['vsock', 'missing and needed', { demand: { vsockProbes: ['a/b/c'] } }, ['error', 'needed by a/b/c']],
  ['libvirt', 'nobody runs on it', {}, ['ok', 'no VM runs on libvirt']],
  ['libvirt', 'it answers', LIBVIRT_VMS, ['ok', 'libvirt 9.0.0 answers at /run/lv.sock', LIBVIRT_URI]],
  [
    'libvirt',
    'it does not',
    { ...LIBVIRT_VMS, libvirt: { answers: false, why: 'libvirt at /run/lv.sock: ENOENT' } },
    ['error', 'ENOENT; default/web-1 run on it', LIBVIRT_URI],
  ],
  ['iso-tool', 'none', {}, ['info', 'no seed ISO']],
  ['iso-tool', 'one', { programs: ['genisoimage'] }, ['ok', '/usr/bin/genisoimage']],

  [
    'hugepages',
    'none',
    { files: { ...meminfo(1), '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n' } },
    ['info', 'none are reserved, transparent ones: madvise'],
  ],
  [
    'hugepages',
    'some',
    {
      files: meminfo(1, 'HugePages_Total:      10\nHugePages_Free:        4\nHugepagesize:       2048 kB\n'),
    },
    ['info', '10 of 2.0 MiB are reserved, 4 of them free'],
  ],
  ['ksm', 'none', {}, ['info', 'the kernel has none']],
  ['ksm', 'off', { files: { '/sys/kernel/mm/ksm/run': '0\n' } }, ['info', 'is off']],
  [
    'ksm',
    'on',
    { files: { '/sys/kernel/mm/ksm/run': '1\n', '/sys/kernel/mm/ksm/pages_sharing': '512\n' } },
    ['info', 'saves 2.0 MiB'],
  ],
  ['cpu-governor', 'none', {}, ['ok', 'sets no frequency']],
  [
    'cpu-governor',
    'performance',
    { files: { '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance\n' } },
    ['ok', 'performance'],
  ],
  [
    'cpu-governor',
    'one saves power',
    {
      files: {
        '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance\n',
        '/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor': 'powersave\n',
      },
    },
    ['info', 'performance, powersave'],
  ],
  [
    'clocksource',
    'fast',
    { files: { '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'kvm-clock\n' } },
    ['ok', 'kvm-clock'],
  ],
  [
    'clocksource',
    'slow',
    { files: { '/sys/devices/system/clocksource/clocksource0/current_clocksource': 'hpet\n' } },
    ['warning', 'hpet'],
  ],
  ['clocksource', 'unknown', {}, ['info', 'does not say']],
  [
    'time-sync',
    'kept',
    { programs: ['timedatectl'], runs: { '/usr/bin/timedatectl': 'yes\n' } },
    ['ok', 'synchronized'],
  ],
  [
    'time-sync',
    'not kept',
    { programs: ['timedatectl'], runs: { '/usr/bin/timedatectl': 'no\n' } },
    ['warning', 'not synchronized'],
  ],
  [
    'time-sync',
    'by a process',
    {
      programs: ['timedatectl'],
      runs: { '/usr/bin/timedatectl': { code: 1, stderr: 'no bus' } },
      files: { '/proc/12/comm': 'chronyd\n' },
    },
    ['ok', 'chronyd runs'],
  ],
  [
    'time-sync',
    'by nobody',
    { files: { '/proc/12/comm': 'bash\n' } },
    ['info', 'nothing on this host keeps its clock'],
  ],
  ['watchdog', 'none', {}, ['info', 'has none']],
  [
    'watchdog',
    'one',
    {
      files: {
        '/sys/class/watchdog/watchdog0/identity': 'iTCO_wdt\n',
        '/sys/class/watchdog/watchdog0/state': 'inactive\n',
        '/sys/class/watchdog/watchdog0/nowayout': '1\n',
      },
    },
    ['info', 'watchdog0: iTCO_wdt, inactive, cannot be stopped once armed (nowayout)'],
  ],
];

describe('checks of the host', () => {
  it('are all tried', () => {
    const tried = new Set(CASES.map(([id]) => id));
    expect(CHECKS.map(({ id }) => id).filter((id) => !tried.has(id))).toEqual([]);
  });

  it.each(CASES.map((one) => ({ name: `${one[0]}: ${one[1]}`, one })))('$name', async ({ one }) => {
    const [id, , host, ...expected] = one;
    const found = await find(id, host);
    const told = found.map(({ severity, subject }) => [severity, subject]);
    expect(told).toEqual(expected.map(([severity, , subject]) => [severity, subject ?? null]));
    for (const [i, [, seen]] of expected.entries()) expect(found[i]?.seen).toContain(seen);
  });
});

describe('remedies', () => {
  it('give the user the group of /dev/kvm, and nobody the right to open it', async () => {
    const user = { uid: 7, gids: [7] };
    const fixes = async (mode: number, gid: number, files: Record<string, string>) =>
      (await find('kvm-permission', { devices: { '/dev/kvm': { mode, gid } }, files, user })).map(
        ({ fix }) => fix,
      );
    expect(await fixes(0o660, 104, GROUPS)).toEqual(['usermod -aG kvm "$USER", and log in again']);
    const [own] = await fixes(0o600, 0, { '/etc/group': 'root:x:0:\n' });
    expect(own).toBe(
      'groupadd --system kvm && chgrp kvm /dev/kvm && chmod 0660 /dev/kvm && usermod -aG kvm "$USER", and log in again',
    );
  });

  it('load the module that the CPU needs', async () => {
    const fix = async (flags: string) => (await find('kvm-device', { files: cpu(flags) }))[0]?.fix;
    expect(await fix('svm')).toContain('modprobe kvm_amd');
    expect(await fix('vmx')).toContain('modprobe kvm_intel');
  });

  it('never open a device for everybody', async () => {
    const all = await Promise.all(CASES.map(([id, , host]) => find(id, host)));
    const fixes = all.flat().flatMap(({ fix }) => fix ?? []);
    expect(fixes.length).toBeGreaterThan(40);
    expect(fixes.filter((fix) => /chmod .*[0-7]?[0-7][0-7][67]\b/.test(fix))).toEqual([]);
  });

  it('come with every warning and error that something can be done about', async () => {
    const all = await Promise.all(CASES.map(([id, , host]) => find(id, host)));
    const without = all
      .flat()
      .filter(
        ({ severity, fix, seen }) =>
          (severity === 'warning' || severity === 'error') &&
          fix === null &&
          !/did not end|nobody told|ended with status|does not answer/.test(seen),
      );
    expect(without).toEqual([]);
  });
});
