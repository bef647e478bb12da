import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { ImageFormat, ImageRecord, ImageStore } from '../../images/index.js';
import { DEFAULT_STATE_DIR } from '../../model/folders.js';
import { plainText } from '../../model/plain-text.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import type { Cli, CliCommand } from '../cli.js';
import { DEFAULT_CONFIG } from '../environment.js';
import { examples } from '../examples.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { parseBytes, parseTime } from '../option-parsers.js';
import { withProgress } from '../progress.js';
import { table } from '../text/table.js';
import { untilInterrupted } from '../until-interrupted.js';

const MIB = 1024 ** 2;

interface StoreOptions extends FormatOptions {
  readonly config?: string;
  readonly stateDir?: string;
}

interface PullOptions extends StoreOptions, ChangeOptions {
  readonly name?: string;
  readonly checksum?: string;
  readonly imageFormat?: ImageFormat;
  readonly maxSize: number;
  readonly timeout: number;
}

/** `vmpulse image`: the store of images below the state directory; the daemon is not needed. */
export const imageCommand: CliCommand = {
  register(program, cli) {
    const image = program
      .command('image')
      .summary('images that disks of VMs are laid over')
      .description('Keeps the images in the state directory that disks (disks[].image) are laid over.')
      .addHelpText('after', examples(['vmpulse image list', 'all of them']));
    pull(image, cli);
    withStore(image.command('list'))
      .summary('which images are there')
      .description('Lists the images.')
      .addHelpText('after', examples(['vmpulse image list', 'all of them']))
      .action(async (options: StoreOptions) => {
        const images = await (await storeOf(options)).list();
        await show(cli, options, plain({ images }), () => listText(images));
      });
    withStore(image.command('verify'))
      .argument('[name]', 'only this one')
      .summary('are the images what was pulled?')
      .description(
        'Reads the images and compares their SHA-256. Exit status 1 when one is not what was pulled.',
      )
      .addHelpText('after', examples(['vmpulse image verify', 'all of them']))
      .action(async (name: string | undefined, options: StoreOptions) => {
        const store = await storeOf(options);
        const images = name === undefined ? await store.list() : [await store.get(name)];
        await untilInterrupted(async (signal) => {
          for (const one of images) await store.verify(one, { signal });
        });
        const verified = images.map((one) => one.name);
        await show(cli, options, plain({ verified }), () =>
          verified.map((one) => `${plainText(one)}: as it was pulled\n`).join(''),
        );
      });
  },
};

function pull(image: Command, cli: Cli): void {
  withStore(image.command('pull'))
    .argument('<source>', 'path, or http(s) URL')
    .option('--name <name>', 'name in the store; default the last part of the source without its ending')
    .option('--checksum <sum>', 'sha256:… or sha512:… that it must have; required for http')
    .addOption(
      new Option(
        '--image-format <format>',
        'what its content must be; default what the ending .qcow2 or .raw says',
      ).choices(['raw', 'qcow2']),
    )
    .addOption(
      new Option('--max-size <amount>', 'larger ones are refused')
        .argParser(parseBytes)
        .default(parseBytes('64Gi'), '64Gi'),
    )
    .addOption(
      new Option('--timeout <time>', 'ends by then; a later pull goes on')
        .argParser(parseTime)
        .default(parseTime('30m'), '30m'),
    )
    .addOption(dryRunOption())
    .summary('bring an image into the store')
    .description(
      'Copies or downloads an image, looks whether it is what was wanted, and gives it its name. Disks that are laid over what had the name before keep it.',
    )
    .addHelpText(
      'after',
      examples(
        ['vmpulse image pull ./debian-12.qcow2', 'as debian-12'],
        [
          'vmpulse image pull https://example.org/d12.qcow2 --name debian-12 --checksum sha256:…',
          'downloaded',
        ],
      ),
    )
    .action(async (source: string, options: PullOptions) => {
      const { parseChecksum, previewPull, pullImage } = await import('../../images/index.js');
      const { checksum } = options;
      const wanted = {
        store: await storeOf(options),
        source: URL.canParse(source) || isAbsolute(source) ? source : resolve(source),
        name: options.name ?? nameOf(source),
        checksum: checksum === undefined ? undefined : parseChecksum(checksum),
        format: options.imageFormat,
        maxBytes: options.maxSize,
      };
      if (options.dryRun) {
        await goesOn(cli, options, await previewPull(wanted));
        return;
      }
      const pulling = (signal: AbortSignal) =>
        pullImage({ ...wanted, deadlineMs: options.timeout, nowMs: Date.now(), signal });
      const record = await withProgress(cli, 'pulling', 1, () => untilInterrupted(pulling));
      await show(cli, options, plain(record), ({ name, sha256 }) => `${plainText(name)}: sha256:${sha256}\n`);
    });
}

function withStore(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--config <file>',
        `whose state directory; default ${DEFAULT_CONFIG}, if it is there`,
      ).conflicts('stateDir'),
    )
    .option(
      '--state-dir <folder>',
      `state directory; default that of the configuration, or ${DEFAULT_STATE_DIR}`,
    )
    .addOption(formatOption())
    .addOption(jsonOption());
}

async function storeOf({ config, stateDir }: StoreOptions): Promise<ImageStore> {
  const { ImageStore } = await import('../../images/index.js');
  if (stateDir !== undefined) return new ImageStore(resolve(stateDir));
  const path = resolve(config ?? DEFAULT_CONFIG);
  if (config === undefined && !existsSync(path)) return new ImageStore(DEFAULT_STATE_DIR);
  const { loadConfig } = await import('../../config/index.js');
  return new ImageStore((await loadConfig(path)).config.stateDir);
}

function nameOf(source: string): string {
  const last =
    source
      .replace(/[?#].*$/, '')
      .split('/')
      .at(-1) ?? '';
  return last.replace(/\.(qcow2|raw|img)$/, '').toLowerCase();
}

function listText(images: readonly ImageRecord[]): string {
  if (images.length === 0) return 'no images; vmpulse image pull brings one\n';
  const rows = images.map(({ name, format, bytes, sha256, pulledAtMs, source }) => [
    name,
    format,
    `${Math.ceil(bytes / MIB)} MiB`,
    sha256.slice(0, 12),
    new Date(pulledAtMs).toISOString().slice(0, 16).replace('T', ' '),
    plainText(source),
  ]);
  return table(['NAME', 'FORMAT', 'SIZE', 'SHA-256', 'PULLED', 'SOURCE'], rows);
}
