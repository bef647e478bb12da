import type { Discovery } from '../discovery/index.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

const DEADLINE_MS = 10_000;

/** The VMs of the host that this command runs on. */
export async function discoverHere(): Promise<Discovery> {
  // The other commands start faster without it.
  const [{ discover }, { WorkerPool }] = await Promise.all([
    import('../discovery/index.js'),
    import('../pool/index.js'),
  ]);
  const pool = new WorkerPool({ maxThreads: 1 });
  try {
    return await discover(pool, { deadlineMs: DEADLINE_MS });
  } finally {
    await pool.close();
  }
}

/** The one of this name. Throws ERR_VMPULSE_VM_UNKNOWN. */
export function only(name: string, found: Discovery): Discovery {
  const vms = found.vms.filter((one) => one.name === name || `default/${one.name}` === name);
  if (vms.length > 0) return { ...found, vms };
  const text = `no VM ${plainText(name)} was found on this host; vmpulse discover lists those that were`;
  throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', text);
}
