import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { IMPORTED_SYSTEMS } from '../../config/import/systems.js';
import type { Imported } from '../../config/index.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import type { Cli } from '../cli.js';
import { examples } from '../examples.js';
import { type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { importText } from '../text/import-text.js';

interface ImportOptions extends FormatOptions {
  readonly from: string;
  readonly output?: string;
  readonly vm?: string;
}

/** `vmpulse config import`. */
export function addConfigImport(config: Command, cli: Cli): void {
  config
    .command('import')
    .description(
      'Turns a file of another system into documents of vmpulse, and tells what has no counterpart. Recovery stays switched off. Needs no daemon.',
    )
    .argument('<file>', "Blixard's config.toml, azlin's YAML of a VM, or manifests of KubeVirt")
    .addOption(
      new Option('--from <system>', 'whose file it is').choices(IMPORTED_SYSTEMS).makeOptionMandatory(),
    )
    .option('-o, --output <dir>', 'write the documents there, instead of showing them')
    .option('--vm <vm>', "azlin: the VM's name here; default that of the file")
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse config import --from blixard config.toml -o imported', 'a configuration for the daemon'],
        ['vmpulse config import --from kubevirt vms.yaml', 'show what would be written'],
      ),
    )
    .action(async (path: string, options: ImportOptions) => {
      const { IMPORTERS, MAX_FILE_BYTES } = await import('../../config/index.js');
      const importer = IMPORTERS[options.from];
      if (importer === undefined)
        throw new VmpulseError('ERR_VMPULSE_USAGE', `there is no importer ${options.from}`);
      const vm = options.vm ?? nameOf(path);
      const imported = importer({ path, text: readText(path, MAX_FILE_BYTES) }, { vm });
      if (options.output !== undefined) write(options.output, imported);
      await show(cli, options, plain(imported), (shown) => importText(shown, options.output));
    });
}

/** A name that a VM can have. */
function nameOf(path: string): string {
  const name = basename(path, extname(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-');
  return name.replaceAll(/^-+|-+$/g, '').slice(0, 63) || 'vm';
}

function readText(path: string, maxBytes: number): string {
  try {
    if (statSync(path).size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const text = `${plainText(path)} cannot be read: ${plainText(errorMessage(error))}`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', text, { cause: error });
  }
}

/** Never over a file that is there. */
function write(folder: string, { files }: Imported): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const { path, text } of files) writeFileSync(join(folder, path), text, { flag: 'wx' });
  } catch (error) {
    const text = `cannot write to ${plainText(folder)}: ${plainText(errorMessage(error))}; name a new folder with -o`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', text, { cause: error });
  }
}
