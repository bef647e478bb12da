import { open } from 'node:fs/promises';
import type { Deadline } from '../../model/deadline.js';
import type { DiskSpec } from '../../model/hypervisor.js';

const SECTOR_BYTES = 512;

/**
 * Disks whose content Cloud Hypervisor would take for another format than is written. It goes by the content whatever it is
 * told: a guest that writes the header of a qcow2 image over its raw disk could have older versions open any file of this
 * host for it at its next boot, and newer ones do not start. A disk that cannot be read is another check's matter.
 */
export async function contentProblems(disks: readonly DiskSpec[], deadline: Deadline): Promise<string[]> {
  const problems = await deadline.race(
    Promise.all(
      disks.map(async ({ name, path, format }) => {
        const found = await formatOf(path).catch(() => undefined);
        if (found === undefined || found === format) return [];
        const remedy =
          format === 'raw'
            ? `if its guest wrote that it wants to read files of this host; do not write another format before you know`
            : 'correct its format';
        return [`disk ${name}: ${path} is to be ${format}, and its content is ${found}; ${remedy}`];
      }),
    ),
  );
  return problems.flat();
}

/** As Cloud Hypervisor sees it. */
async function formatOf(path: string): Promise<'raw' | 'qcow2' | 'VHDX' | 'VHD'> {
  const file = await open(path, 'r');
  try {
    const sectorAt = async (position: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(SECTOR_BYTES), 0, SECTOR_BYTES, position);
      return buffer.toString('latin1', 0, bytesRead);
    };
    const begin = await sectorAt(0);
    if (begin.startsWith('QFI\xfb')) return 'qcow2';
    if (begin.startsWith('vhdxfile')) return 'VHDX';
    const { size } = await file.stat();
    return size >= SECTOR_BYTES && (await sectorAt(size - SECTOR_BYTES)).startsWith('conectix')
      ? 'VHD'
      : 'raw';
  } finally {
    await file.close();
  }
}
