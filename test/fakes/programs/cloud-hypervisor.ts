import { existsSync, openSync, writeFileSync } from 'node:fs';
import { FakeCloudHypervisor } from '../cloud-hypervisor.js';
import { optionOf, partOf, takeOrders } from './control.js';
import { serveVsock } from './guest-agent.js';

/** Stands in for the program `cloud-hypervisor`: its command line, its files and its API, and no guest. */
const HELP = `Usage: cloud-hypervisor [OPTIONS]
      --api-socket <api-socket>
      --disk <disk>... "path=<disk_image_path>,image_type=<raw,qcow2>"
      --event-monitor <event-monitor>
      --platform <platform> "system_uuid=<dmi_system_uuid>"
      --pvpanic
      --watchdog
`;

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help')) {
    process.stdout.write(HELP);
    return;
  }
  const path = partOf(optionOf(argv, '--api-socket'), 'path');
  const eventsPath = partOf(optionOf(argv, '--event-monitor'), 'path');
  const serial = partOf(optionOf(argv, '--serial'), 'file');
  const kernel = optionOf(argv, '--kernel');
  const line = optionOf(argv, '--cmdline') ?? '';
  if (argv.includes('--no-such-option')) throw new Error('unexpected argument --no-such-option');
  if (path === undefined || eventsPath === undefined || serial === undefined)
    throw new Error('Error parsing --api-socket, --event-monitor or --serial');
  if (kernel !== undefined && !existsSync(kernel)) throw new Error(`Cannot open kernel: ${kernel}`);
  // Held open for as long as the process lives, as the VMM does.
  for (const disk of argv.filter((arg) => arg.startsWith('path=') && arg.includes('id=disk')))
    openSync(partOf(disk, 'path') ?? '', disk.includes('readonly=on') ? 'r' : 'r+');
  // Waits for whoever reads the fifo.
  openSync(eventsPath, 'w');
  writeFileSync(serial, 'READY\n');
  const vmm = await FakeCloudHypervisor.start({
    path,
    eventsPath,
    state: 'Running',
    guestHeedsButton: !line.includes('deaf'),
    endsBeforeAnswer: line.includes('rude'),
    freezesPaused: true,
    onExit: () => setImmediate(() => process.exit(0)),
  });
  const vsock = await serveVsock(partOf(optionOf(argv, '--vsock'), 'socket'), line);
  takeOrders(vmm.api, {
    hang: () => vmm.api.freeze(),
    panic: () => vmm.guestPanics(),
    'power-off': () => vmm.guestPowersOff(),
    reboot: () => vmm.guestReboots(),
    created: () => vmm.force('Created'),
    paused: () => vmm.force('Paused'),
    'vsock-silent': () => vsock.fault('silent'),
    'vsock-well': () => vsock.fault(),
  });
  process.on('SIGTERM', () => vmm.exit());
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(String(error));
  process.exit(1);
});
