import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CloudInit } from '../../model/cloud-init.js';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { findTool, runTool } from './run-tool.js';

const TOOLS = ['xorriso', 'genisoimage', 'mkisofs', 'cloud-localds'] as const;

type Tool = (typeof TOOLS)[number];

/**
 * Makes the ISO image from which cloud-init reads (label `cidata`), where it is missing or was made of other data. A guest
 * that has the former one open keeps it. Throws ERR_VMPULSE_STORAGE, also where no program can make one.
 */
export async function makeSeed(
  path: string,
  data: CloudInit,
  deadline: Deadline,
  searchPath?: string,
): Promise<'made' | 'kept'> {
  const digest = digestOf(data);
  if (await isCurrent(path, digest)) return 'kept';
  const tool = await findTool(TOOLS, searchPath);
  if (tool === undefined) {
    const text = `no program makes the cloud-init disk ${path}: none of ${TOOLS.join(', ')} is installed; install the package xorriso (or genisoimage, or cloud-image-utils)`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }
  const folder = `${path}.files`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const names = await writeFiles(folder, data);
    const fresh = join(folder, 'seed.iso');
    await runTool([tool.path, ...argumentsOf(tool.name, fresh, names)], folder, deadline);
    await syncFile(fresh);
    await rename(fresh, path);
    // Last: an image without it is made anew.
    await writeFile(digestPath(path), `${digest}\n`, { mode: 0o600 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return 'made';
}

async function writeFiles(
  folder: string,
  { userData, metaData, networkConfig }: CloudInit,
): Promise<string[]> {
  const files = [
    ['user-data', userData],
    ['meta-data', metaData],
    ...(networkConfig === undefined ? [] : [['network-config', networkConfig]]),
  ] as const;
  for (const [name = '', text = ''] of files) await writeFile(join(folder, name), text, { mode: 0o600 });
  return files.map(([name = '']) => name);
}

function argumentsOf(tool: Tool, output: string, names: readonly string[]): string[] {
  if (tool === 'cloud-localds') {
    const network = names.includes('network-config') ? ['--network-config=network-config'] : [];
    return [...network, output, 'user-data', 'meta-data'];
  }
  const mkisofs = ['-output', output, '-volid', 'cidata', '-joliet', '-rock', '-quiet', ...names];
  return tool === 'xorriso' ? ['-as', 'mkisofs', ...mkisofs] : mkisofs;
}

async function isCurrent(path: string, digest: string): Promise<boolean> {
  try {
    await stat(path);
    return (await readFile(digestPath(path), 'utf8')).trim() === digest;
  } catch {
    return false;
  }
}

function digestPath(path: string): string {
  return join(dirname(path), 'seed.sha256');
}

function digestOf({ userData, metaData, networkConfig }: CloudInit): string {
  return createHash('sha256')
    .update(JSON.stringify([userData, metaData, networkConfig ?? null]))
    .digest('hex');
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
