import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** PID namespace of the host; only there are the PIDs in the names of KVM's folders ours. */
const HOST_PID_NAMESPACE = 'pid:[4026531836]';

/**
 * Interrupts that KVM has injected into the guests of the process, from debugfs (`<kvm>/<pid>-<fd>/irq_injections`, a sum
 * over the vCPUs). Undefined where that cannot be read: not mounted, not root, locked down, another PID namespace.
 */
export async function debugfsInjections(
  pid: number,
  namespace: string,
  root = '/sys/kernel/debug/kvm',
): Promise<number | undefined> {
  if (namespace !== HOST_PID_NAMESPACE) return undefined;
  try {
    // The folder is named by the thread that made the guest.
    const threads = new Set(await readdir(`/proc/${pid}/task`));
    const folders = (await readdir(root)).filter((name) => threads.has(name.split('-')[0] ?? ''));
    if (folders.length === 0) return undefined;
    const counts = await Promise.all(
      folders.map(async (folder) => Number(await readFile(join(root, folder, 'irq_injections'), 'utf8'))),
    );
    return counts.every(Number.isSafeInteger) ? counts.reduce((sum, count) => sum + count, 0) : undefined;
  } catch {
    return undefined;
  }
}
