import { appendFileSync, existsSync, openSync, readFileSync } from 'node:fs';
import { FakeFirecracker } from '../firecracker.js';
import { optionOf, takeOrders } from './control.js';
import { serveVsock } from './guest-agent.js';

interface Config {
  readonly 'boot-source': { readonly kernel_image_path: string; readonly boot_args?: string };
  readonly drives: readonly { readonly path_on_host: string; readonly is_read_only: boolean }[];
  readonly metrics: { readonly metrics_path: string };
  readonly vsock?: { readonly uds_path: string };
}

/** Stands in for the program `firecracker`: its command line, its files and its API, and no guest. */
async function main(argv: readonly string[]): Promise<void> {
  const path = optionOf(argv, '--api-sock');
  const id = optionOf(argv, '--id');
  const log = optionOf(argv, '--log-path');
  const configPath = optionOf(argv, '--config-file');
  if (argv.includes('--no-such-option')) throw new Error('unexpected argument --no-such-option');
  if (path === undefined || id === undefined || log === undefined || configPath === undefined)
    throw new Error('Arguments parsing error');
  const config: Config = JSON.parse(readFileSync(configPath, 'utf8'));
  const { kernel_image_path: kernel, boot_args: line = '' } = config['boot-source'];
  const say = (text: string) => appendFileSync(log, `2026-01-01T00:00:00.0 [${id}:main] ${text}\n`);
  const sayEnd = (code: number) =>
    say(`Firecracker exiting ${code === 0 ? 'successfully' : 'with error'}. exit_code=${code}`);
  if (!existsSync(kernel)) {
    console.error('Error: RunWithApi(BuildFromJson(ParseFromJson(BootSource(InvalidKernelPath(…)))))');
    sayEnd(1);
    process.exit(1);
  }
  for (const { path_on_host, is_read_only } of config.drives)
    openSync(path_on_host, is_read_only ? 'r' : 'r+');
  console.log('READY');
  const vmm = await FakeFirecracker.start({
    path,
    id,
    state: 'Running',
    guestHeedsCtrlAltDel: !line.includes('deaf'),
    // Its last word is in the log before its socket closes, as with the real one.
    onExit: (code) => {
      sayEnd(code);
      setImmediate(() => process.exit(code));
    },
    onFlush: () => appendFileSync(config.metrics.metrics_path, METRICS),
  });
  const vsock = await serveVsock(config.vsock?.uds_path, line);
  takeOrders(vmm.api, {
    hang: () => vmm.api.freeze(),
    'power-off': () => vmm.guestResets(),
    fault: () => vmm.exit(148),
    paused: () => vmm.force('Paused'),
    'vsock-silent': () => vsock.fault('silent'),
    'vsock-well': () => vsock.fault(),
  });
}

/** What happened since the line before. */
const METRICS = `${JSON.stringify({
  block: { read_count: 2, write_count: 3, flush_count: 1 },
  net: { tx_packets_count: 4 },
})}\n`;

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(String(error));
  process.exit(153);
});
