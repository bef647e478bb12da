import { chmod, link, mkdir, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { readImageHeader } from '../../images/image-header.js';
import { ImageStore } from '../../images/index.js';
import type { Deadline } from '../../model/deadline.js';
import { errnoOf, VmpulseError } from '../../model/errors.js';
import type { DiskSpec } from '../../model/hypervisor.js';
import { findTool, runTool } from './run-tool.js';

/**
 * Makes a disk that is laid over an image, where it is missing. The image is named by its absolute path and digest, and is
 * never written: a later pull of the same name changes new disks and no others. Resolves with the file of the image; throws
 * ERR_VMPULSE_STORAGE.
 */
export async function makeOverlay(
  { name, path, overlay }: DiskSpec & { readonly overlay: NonNullable<DiskSpec['overlay']> },
  stateDir: string,
  deadline: Deadline,
): Promise<string | undefined> {
  if (await isThere(path)) {
    const { backing } = await readImageHeader(path);
    if (backing === undefined || !isAbsolute(backing) || (await isThere(backing))) return backing;
    const text = `disk ${name}: ${backing}, which ${path} is laid over, is gone; pull that image again (its name is its SHA-256), or remove the disk`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }
  const store = new ImageStore(stateDir);
  const image = await store.get(overlay.image);
  const base = store.pathOf(image);
  const { virtualBytes } = await readImageHeader(base);
  if (overlay.bytes !== undefined && overlay.bytes < virtualBytes) {
    const text = `disk ${name}: size is ${overlay.bytes} bytes, and the image ${image.name} has ${virtualBytes}; a disk cannot be smaller than its image`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }
  const tool = await findTool(['qemu-img']);
  if (tool === undefined)
    throw new VmpulseError('ERR_VMPULSE_STORAGE', `disk ${name}: there is no qemu-img; install qemu-utils`);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${crypto.randomUUID()}.new`;
  try {
    const size = overlay.bytes === undefined ? [] : [String(overlay.bytes)];
    const args = ['create', '-q', '-f', 'qcow2', '-F', image.format, '-b', base, fresh, ...size];
    await runTool([tool.path, ...args], dirname(path), deadline);
    await chmod(fresh, 0o600);
    // Whoever else makes it at the same time, one of them is it.
    await link(fresh, path).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  } finally {
    await rm(fresh, { force: true });
  }
  return base;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
