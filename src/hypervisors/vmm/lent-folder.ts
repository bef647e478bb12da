import { chmod, lchown, lstat, mkdir, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from '../../kernel/users.js';

/**
 * The folder of a VM whose VMM runs as somebody else. It is the VMM's own only while that starts and makes its sockets;
 * afterwards it is vmpulse's again, so that nobody who has taken the VMM over can put another file in the place of one that
 * vmpulse writes to, or another socket in the place of one that it commands.
 */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o711 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await lchown(folder, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  await chmod(folder, 0o700);
}

/** The folder and all that is in it become the account's. */
export async function lendFolder(folder: string, { uid, gid }: Account): Promise<void> {
  // The way to it may be gone by all, and seen by none.
  for (const above of [dirname(folder), dirname(dirname(folder))]) await chmod(above, 0o711);
  for (const name of await readdir(folder)) await lchown(join(folder, name), uid, gid);
  await lchown(folder, uid, gid);
}

/**
 * The folder is vmpulse's again; the VMM's group may still go through it. What is in it stays the VMM's, but for links: no
 * VMM makes any, and vmpulse would command or read what they lead to.
 */
export async function takeFolderBack(folder: string): Promise<void> {
  const { gid } = await lstat(folder);
  await lchown(folder, process.geteuid?.() ?? 0, gid);
  await chmod(folder, 0o710);
  // Only now nobody puts another one there.
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isSymbolicLink()) await unlink(join(folder, entry.name));
}
