import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The folder of everything that set-up makes for the lab; git ignores it. */
export const LAB_DIR = join(ROOT, '.lab');

/** Sources of the guest: what runs inside the VM. */
export const GUEST_DIR = join(ROOT, 'lab', 'guest');

/** Sources of the image builder. */
export const IMAGE_SOURCE_DIR = join(ROOT, 'lab', 'image');

/** Where each part of the image lies. */
export const LAB_FILES = {
  /** The decompressed kernel (ELF, boots by PVH); the packed one where nothing can decompress it. */
  kernel: join(LAB_DIR, 'vmlinux'),
  initrd: join(LAB_DIR, 'initrd.gz'),
  /** What was built, from which package versions. */
  facts: join(LAB_DIR, 'lab.json'),
  /** Unpacked programs and libraries for the guest, and every module with its insmod order. */
  parts: join(LAB_DIR, 'parts'),
};
