import { type Command, InvalidArgumentError, Option } from 'commander';
import { applyAnswer } from '../../daemon/answers/lifecycle.js';
import { VmpulseError } from '../../model/errors.js';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { readDocumentFiles } from '../document-files.js';
import { notDone } from '../each-vm.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, plain, show } from '../format.js';
import { oneMore, wholeNumber } from '../option-parsers.js';
import { readMemory } from '../read-memory.js';
import { actionPlan, previewAction, resultOf, runAction } from '../run-plan.js';
import { applyText } from '../text/apply-text.js';

const STRATEGIES = ['Always', 'RerunOnFailure', 'Once', 'Manual', 'Halted'];
/** Drivers that start VMs, with their member of `spec.hypervisor`. */
const DRIVERS: Readonly<Record<string, string>> = {
  qemu: 'qemu',
  'cloud-hypervisor': 'cloudHypervisor',
  firecracker: 'firecracker',
};

/** What documents say themselves. */
const OF_DOCUMENTS = [
  ...['driver', 'vcpus', 'memory', 'disk', 'tap', 'forward', 'kernel', 'initrd', 'append'],
  ...['address', 'label', 'runStrategy'],
];

type Parts = Readonly<Record<string, string | number | boolean>>;

interface CreateOptions extends ChangeOptions {
  readonly filename?: readonly string[];
  readonly driver: string;
  readonly vcpus?: number;
  readonly memory?: string;
  readonly disk?: readonly Parts[];
  readonly tap?: readonly Parts[];
  readonly forward?: readonly Parts[];
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly address?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly runStrategy: string;
  readonly start?: true;
  readonly reason?: string;
}

/** `vmpulse vm create`. */
export function addCreate(vm: Command, cli: Cli): void {
  const command = vm
    .command('create')
    .description(
      'Makes a VM from these options, or from documents (-f), which may say much more; with --start starts it. It is kept as if applied: vmpulse apply changes it, vmpulse vm delete removes it.',
    )
    .argument('[vm]', 'its name or namespace/name; not with -f')
    .addOption(
      new Option('-f, --filename <path>', 'documents instead: a file or a directory; may be repeated')
        .argParser(oneMore)
        .conflicts(OF_DOCUMENTS),
    )
    .addOption(new Option('--driver <driver>', 'hypervisor').choices(Object.keys(DRIVERS)).default('qemu'))
    .option('--vcpus <count>', 'processors (default 1)', wholeNumber(1, 1024))
    .option('--memory <amount>', 'memory, for example 2GB')
    .option('--disk <disk>', 'PATH[,format=qcow2][,name=NAME][,readonly]; may be repeated', appendDisk)
    .option('--tap <device>', 'DEVICE[,bridge=NAME][,mac=MAC][,create]; may be repeated', appendTap)
    .option(
      '--forward <ports>',
      'HOSTPORT:GUESTPORT, user networking of QEMU; may be repeated',
      appendForward,
    )
    .option('--kernel <file>', 'kernel to boot')
    .option('--initrd <file>', 'its initial RAM disk')
    .option('--append <text>', 'its command line')
    .option('--address <address>', 'of the guest, for probes')
    .option('--label <label>', 'key=value; may be repeated', appendLabel)
    .addOption(new Option('--run-strategy <strategy>', 'when it runs').choices(STRATEGIES).default('Manual'))
    .option('--start', 'start it')
    .option('--reason <text>', 'why; kept in the journal')
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        [
          'vmpulse vm create web-1 --memory 2GB --vcpus 2 --disk /var/lib/images/web-1.qcow2 --tap tap0,bridge=vmbr0,create --start',
          'make it and start it',
        ],
        ['vmpulse vm create -f web-1.yaml --start', 'from documents'],
      ),
    );
  command.action((name: string | undefined, options: CreateOptions) => {
    if ((name === undefined) === (options.filename === undefined))
      throw new VmpulseError('ERR_VMPULSE_USAGE', 'name the VM, or its documents with -f');
    if (name === undefined && options.reason !== undefined && !options.start)
      throw new VmpulseError('ERR_VMPULSE_USAGE', '--reason is that of the start: give --start with it');
    return withDaemon(command, cli, (client) =>
      name === undefined ? fromDocuments(client, cli, options) : fromOptions(client, cli, name, options),
    );
  });
}

async function fromOptions(
  client: DaemonClient,
  cli: Cli,
  name: string,
  options: CreateOptions,
): Promise<void> {
  const plan = actionPlan('create', options.reason, createAction(name, options));
  if (options.dryRun) {
    await goesOn(cli, options, await previewAction(client, plan));
    return;
  }
  const { data, shown } = await runAction(client, plan);
  await show(cli, options, plain({ results: [resultOf(data)] }), () => `${shown.text}\n`);
}

function createAction(name: string, options: CreateOptions): object {
  const { vcpus, memory, label, disk, tap, forward, kernel, initrd, append, address } = options;
  if (kernel === undefined && (initrd ?? append) !== undefined)
    throw new VmpulseError('ERR_VMPULSE_USAGE', '--initrd and --append need --kernel');
  const interfaces = [
    ...(tap ?? []).map((each) => ({ tap: each })),
    ...(forward === undefined ? [] : [{ user: { forwards: forward } }]),
  ];
  const hypervisor = {
    ...given({ disks: disk }),
    ...(interfaces.length === 0 ? {} : { interfaces }),
    ...(kernel === undefined ? {} : { kernel: { image: kernel, initrd, append } }),
  };
  return {
    operation: 'CREATE',
    vm_id: name,
    run_strategy: options.runStrategy,
    ...given({ vcpu_count: vcpus }),
    ...(memory === undefined ? {} : { memory_mib: memoryOf(memory) }),
    ...given({ labels: label }),
    ...(address === undefined ? {} : { host: { address } }),
    hypervisor: { [DRIVERS[options.driver] ?? 'qemu']: hypervisor },
    start: options.start === true,
  };
}

function memoryOf(text: string): number {
  const { memoryMiB, relative } = readMemory(text);
  if (!relative) return memoryMiB;
  const message = `--memory ${plainText(text)}: a new VM has no memory that it is added to; leave out the +`;
  throw new VmpulseError('ERR_VMPULSE_USAGE', message);
}

/** Applies them; with --start, those VMs of which there was none before are started. */
async function fromDocuments(client: DaemonClient, cli: Cli, options: CreateOptions): Promise<void> {
  const files = readDocumentFiles(options.filename ?? []);
  const body = { files, prune: false, dryRun: options.dryRun === true, author: author() };
  const { data, shown } = await client.post('/v1/apply', body, asCame(applyAnswer));
  if (options.format === 'table') cli.stdout.write(applyText(shown));
  const results: unknown[] = [];
  for (const vm of options.start ? shown.vms.added : []) {
    try {
      const { data: result, text } = await startOf(client, vm, options);
      results.push(result);
      if (options.format === 'table') cli.stdout.write(`${text}\n`);
    } catch (error) {
      results.push(notDone(cli, vm, error));
    }
  }
  await show(cli, options, plain({ applied: data, results }), () => '');
}

async function startOf(client: DaemonClient, vm: string, { dryRun, reason }: CreateOptions) {
  const text = `${vm}: would be started`;
  if (dryRun) return { data: { vm, text, status: 'PENDING' }, text };
  const plan = actionPlan('start', reason, { operation: 'START', vm_id: vm });
  const { data, shown } = await runAction(client, plan);
  return { data: resultOf(data), text: `${vm}: ${shown.text}` };
}

/** `PLACE[,key=value][,flag]`: the place, and what is said of it. */
function readParts(text: string, keys: readonly string[], flags: readonly string[]): [string, Parts] {
  const [place = '', ...rest] = text.split(',');
  if (place === '') throw new InvalidArgumentError('it begins with a comma');
  const said = rest.map((part): [string, string | boolean] => {
    const at = part.indexOf('=');
    const key = at < 0 ? part : part.slice(0, at);
    if (at < 0 && flags.includes(key)) return [key, true];
    if (at > 0 && keys.includes(key)) return [key, part.slice(at + 1)];
    const known = [...keys.map((each) => `${each}=…`), ...flags].join(', ');
    throw new InvalidArgumentError(`"${plainText(part)}" is none of ${known}`);
  });
  return [place, Object.fromEntries(said)];
}

function appendDisk(text: string, before: readonly Parts[] = []): readonly Parts[] {
  const [path, { readonly: readOnly, ...said }] = readParts(text, ['format', 'name'], ['readonly']);
  const format = path.endsWith('.qcow2') ? 'qcow2' : 'raw';
  return [...before, { path, format, ...given({ readOnly }), ...said }];
}

function appendTap(text: string, before: readonly Parts[] = []): readonly Parts[] {
  const [device, said] = readParts(text, ['bridge', 'mac'], ['create']);
  return [...before, { device, ...said }];
}

function appendForward(text: string, before: readonly Parts[] = []): readonly Parts[] {
  const [, host, guest] = /^(\d{1,5}):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new InvalidArgumentError('write two ports, for example 10080:80');
  return [...before, { hostPort: Number(host), guestPort: Number(guest) }];
}

function appendLabel(text: string, before: Readonly<Record<string, string>> = {}) {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('write key=value');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
