import { describe, expect, it } from 'vitest';
import { describeCloudHypervisor } from '../../../src/hypervisors/discovery/cloud-hypervisor-arguments.js';
import { describeFirecracker } from '../../../src/hypervisors/discovery/firecracker-arguments.js';
import type { DescribedVm } from '../../../src/hypervisors/discovery/found-vm.js';
import { marksOf } from '../../../src/hypervisors/discovery/marks.js';
import { describeQemu } from '../../../src/hypervisors/discovery/qemu-arguments.js';

const UUID = '6BA7B810-9dad-41d1-80b4-00c04fd430c8';
const words = (text: string) => text.trim().split(/\s+/);

/** As libvirt 9 starts them, shortened. */
const LIBVIRT = [
  ...words('-name guest=db,debug-threads=on -S'),
  ...[
    '-object',
    '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/domain-3-db/master-key.aes"}',
  ],
  ...words(
    `-machine pc-q35-7.2,usb=off -accel kvm -m size=2097152k -smp 4,sockets=4,cores=1,threads=1 -uuid ${UUID} -no-user-config -nodefaults`,
  ),
  ...words(
    '-chardev socket,id=charmonitor,fd=24,server=on,wait=off -mon chardev=charmonitor,id=monitor,mode=control',
  ),
  ...[
    '-blockdev',
    '{"driver":"file","filename":"/srv/db.qcow2","node-name":"libvirt-1-storage","auto-read-only":true}',
  ],
  ...[
    '-blockdev',
    '{"node-name":"libvirt-1-format","read-only":false,"driver":"qcow2","file":"libvirt-1-storage"}',
  ],
  ...['-netdev', '{"type":"tap","fd":"26","vhost":true,"id":"hostnet0"}'],
  ...['-device', '{"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:AA:bb:cc"}'],
  ...words(
    '-chardev socket,id=charchannel0,path=/run/libvirt/qemu/channel/3-db/org.qemu.guest_agent.0,server=on,wait=off',
  ),
  ...['-device', '{"driver":"virtserialport","chardev":"charchannel0","name":"org.qemu.guest_agent.0"}'],
];

/** As Proxmox 8 starts them, shortened. */
const PROXMOX = words(
  `-id 100 -name web,debug-threads=on -no-shutdown -chardev socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off -mon chardev=qmp,mode=control -pidfile /var/run/qemu-server/100.pid -daemonize -smbios type=1,uuid=${UUID} -smp 2,sockets=1,cores=2,maxcpus=2 -nodefaults -m 4096 -drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF.fd -drive file=/dev/pve/vm-100-disk-0,if=none,id=drive-scsi0,format=raw -drive file=/iso/a.iso,if=none,media=cdrom -netdev type=tap,id=net0,ifname=tap100i0,script=/usr/libexec/x,vhost=on -device virtio-net-pci,mac=BC:24:11:00:00:01,netdev=net0`,
);

const QEMU: readonly (readonly [what: string, args: readonly string[], said: Partial<DescribedVm>])[] = [
  ['nothing', [], { disks: [], taps: [], forwards: [], monitors: [] }],
  ['the name as an option', words('-name guest=web-1,process=x'), { name: 'web-1' }],
  ['a name with a comma', ['-name', 'a,,b'], { name: 'a,b' }],
  ['two dashes', words(`--name web --uuid ${UUID}`), { name: 'web', uuid: UUID.toLowerCase() }],
  ['MiB', words('-m 512'), { memoryMiB: 512 }],
  ['GiB', words('-m 2G,slots=4,maxmem=8G'), { memoryMiB: 2048 }],
  ['processors by their topology', words('-smp sockets=2,cores=3,threads=2'), { vcpus: 12 }],
  ['processors by number', words('-smp 3,maxcpus=8'), { vcpus: 3 }],
  [
    'a disk that stands alone, after an option without a value',
    words('-nographic disk.img -hdb /b.img -snapshot'),
    {
      disks: [
        { path: 'disk.img', readOnly: false },
        { path: '/b.img', readOnly: false },
      ],
    },
  ],
  [
    'a drive',
    words('-drive file=/a.img,format=qcow2,readonly=on'),
    { disks: [{ path: '/a.img', format: 'qcow2', readOnly: true }] },
  ],
  ['QMP', words('-qmp unix:/run/q.sock,server=on,wait=off'), { monitors: ['/run/q.sock'] }],
  [
    'QMP by a chardev',
    words('-chardev socket,id=m,path=/run/m.sock,server=on -qmp chardev:m'),
    { monitors: ['/run/m.sock'] },
  ],
  [
    'no human monitor',
    words('-chardev socket,id=m,path=/run/m.sock,server=on -mon chardev=m,mode=readline -monitor unix:/x'),
    { monitors: [] },
  ],
  ['QMP by TCP', words('-qmp tcp:127.0.0.1:4444,server=on'), { monitors: [] }],
  [
    'the guest agent, and no other port',
    words(
      '-chardev socket,id=a,path=/run/a.sock -device virtserialport,chardev=a,name=org.qemu.guest_agent.0 -device virtserialport,chardev=b,name=x',
    ),
    { agent: '/run/a.sock' },
  ],
  ['the console', words('-serial file:/var/log/c.log'), { console: '/var/log/c.log' }],
  [
    'the console of a chardev',
    words('-chardev file,id=c,path=c.log,append=on -serial chardev:c'),
    { console: 'c.log' },
  ],
  [
    'the console of a pty that is logged',
    words('-chardev pty,id=c,logfile=/c.log -serial chardev:c'),
    { console: '/c.log' },
  ],
  [
    'forwards of TCP',
    words(
      '-netdev user,id=n,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-:53,hostfwd=tcp::8080-10.0.2.15:80',
    ),
    {
      forwards: [
        { hostAddress: '127.0.0.1', hostPort: 2222, guestPort: 22 },
        { hostAddress: '0.0.0.0', hostPort: 8080, guestPort: 80 },
      ],
    },
  ],
  [
    'a TAP of -nic',
    words('-nic tap,ifname=tap7,mac=52:54:00:00:00:07,script=no'),
    { taps: [{ device: 'tap7', mac: '52:54:00:00:00:07' }] },
  ],
  [
    'libvirt',
    LIBVIRT,
    {
      name: 'db',
      uuid: UUID.toLowerCase(),
      memoryMiB: 2048,
      vcpus: 4,
      disks: [{ path: '/srv/db.qcow2', format: 'qcow2', readOnly: false }],
      taps: [{ mac: '52:54:00:aa:bb:cc' }],
      monitors: [],
      agent: '/run/libvirt/qemu/channel/3-db/org.qemu.guest_agent.0',
    },
  ],
  [
    'Proxmox',
    PROXMOX,
    {
      name: 'web',
      uuid: UUID.toLowerCase(),
      memoryMiB: 4096,
      vcpus: 2,
      disks: [
        { path: '/dev/pve/vm-100-disk-0', format: 'raw', readOnly: false },
        { path: '/iso/a.iso', readOnly: true },
      ],
      taps: [{ device: 'tap100i0', mac: 'bc:24:11:00:00:01' }],
      monitors: ['/var/run/qemu-server/100.qmp'],
      pidFile: '/var/run/qemu-server/100.pid',
    },
  ],
  ['JSON that is none', ['-blockdev', '{"driver":', '-netdev', '{'], { disks: [], taps: [] }],
];

describe('the command line of QEMU tells', () => {
  it.each(QEMU)('%s', (_what, args, said) => expect(describeQemu(args)).toMatchObject(said));

  it('nothing that is not there', () => {
    expect(Object.keys(describeQemu(words('-S -m none -smp x -display none')))).toEqual([
      'disks',
      'taps',
      'forwards',
      'monitors',
    ]);
  });
});

describe('the command line of Cloud Hypervisor tells', () => {
  it('everything of a VM', () => {
    const args = words(
      `--api-socket path=/run/ch.sock --kernel /vmlinux --cpus boot=2,max=4 --memory size=512M --disk path=/a.raw path=/b.raw,readonly=on --net tap=tap3,mac=2E:89:A8:E4:92:00 --serial file=/log --console off --vsock cid=3,socket=/run/v.sock --platform uuid=${UUID}`,
    );
    expect(describeCloudHypervisor(args)).toEqual({
      uuid: UUID.toLowerCase(),
      memoryMiB: 512,
      vcpus: 2,
      disks: [
        { path: '/a.raw', readOnly: false },
        { path: '/b.raw', readOnly: true },
      ],
      taps: [{ device: 'tap3', mac: '2e:89:a8:e4:92:00' }],
      forwards: [],
      monitors: [],
      api: '/run/ch.sock',
      vsock: '/run/v.sock',
      console: '/log',
    });
  });

  it('little of one that its API makes', () => {
    expect(describeCloudHypervisor(words('--api-socket=/run/ch.sock -v'))).toEqual({
      disks: [],
      taps: [],
      forwards: [],
      monitors: [],
      api: '/run/ch.sock',
    });
  });
});

describe('the command line of Firecracker tells', () => {
  const config = JSON.stringify({
    'boot-source': { kernel_image_path: '/vmlinux' },
    drives: [{ drive_id: 'r', path_on_host: '/r.ext4', is_root_device: true, is_read_only: true }],
    'machine-config': { vcpu_count: 2, mem_size_mib: 256 },
    'network-interfaces': [{ iface_id: 'e', host_dev_name: 'fc0', guest_mac: 'AA:FC:00:00:00:01' }],
    vsock: { guest_cid: 3, uds_path: '/run/v.sock' },
  });

  it('what its configuration file says', () => {
    expect(
      describeFirecracker(words('--id web --api-sock /run/fc.sock --config-file /c.json'), config),
    ).toEqual({
      name: 'web',
      memoryMiB: 256,
      vcpus: 2,
      disks: [{ path: '/r.ext4', readOnly: true }],
      taps: [{ device: 'fc0', mac: 'aa:fc:00:00:00:01' }],
      forwards: [],
      monitors: [],
      api: '/run/fc.sock',
      vsock: '/run/v.sock',
    });
  });

  it.each([
    ['without a socket named', '', undefined, '/run/firecracker.socket'],
    ['without an API', '--no-api --config-file /c', '{', undefined],
    ['with a file that is none', '--api-sock=/x', '[1]', '/x'],
  ])('its API %s', (_what, args, text, api) => {
    expect(describeFirecracker(words(args), text).api).toBe(api);
  });
});

describe('marks of a process', () => {
  it.each([
    [
      'qemu',
      `-name guest=web,debug-threads=on -uuid ${UUID} -drive if=none,file=/a.img`,
      `-uuid ${UUID}|-name guest=web|-drive file=/a.img`,
    ],
    ['qemu', `-smbios type=1,uuid=${UUID} -hda /a.img`, `-smbios uuid=${UUID}|-hda /a.img`],
    [
      'cloud-hypervisor',
      '--api-socket path=/run/a --disk path=/d',
      '--api-socket path=/run/a|--disk path=/d',
    ],
    ['firecracker', '--api-sock=/run/a --id web', '--id web|--api-sock /run/a'],
    ['qemu', '-nodefaults -S', ''],
  ] as const)('of %s %s', (vmm, args, marks) => {
    const found = marksOf(vmm, ['program', ...words(args)]);
    expect(found.map(({ option, value }) => `${option} ${value}`).join('|')).toBe(marks);
  });
});
