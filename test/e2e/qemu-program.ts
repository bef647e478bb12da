import { accessSync, constants, existsSync } from 'node:fs';

/** QEMU alone, without the lab's guests: its firmware is guest enough. */
export function whyNoQemu(): string | undefined {
  const folders = (process.env.PATH ?? '').split(':');
  const isThere = folders.some((folder) => existsSync(`${folder}/qemu-system-x86_64`));
  return isThere ? undefined : 'there is no qemu-system-x86_64 in PATH';
}

/** Why no guest can run by KVM here; undefined: it can. */
export function whyNoKvm(): string | undefined {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return 'there is no /dev/kvm here that may be used';
  }
}
