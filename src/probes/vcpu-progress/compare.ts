import type { VcpuReading, VcpuThread } from '../../model/vcpu.js';

/** From here on the threads are so busy that a spinning guest looks like a working one. */
const BUSY_SHARE = 0.9;
/** Looking costs the threads a little, and so does a timer of the VMM: less than this is rest. */
const REST_SHARE = 0.001;
const REST_SLEEPS = 4;

/** What two looks say of the time between them. */
export type Motion =
  /** The guest took interrupts, or slept and woke up. */
  | 'moving'
  /** It did not. */
  | 'still'
  /** This source cannot tell. */
  | 'unclear';

/** Compares a look with the one before it, `elapsedMs` earlier; readings of different sources say nothing. */
export function compare(before: VcpuReading, now: VcpuReading, elapsedMs: number): Motion {
  if (before.source === 'injections' && now.source === 'injections')
    return now.total > before.total ? 'moving' : now.total === before.total ? 'still' : 'unclear';
  if (before.source === 'registers' && now.source === 'registers')
    return before.takesInterrupts || now.takesInterrupts ? 'moving' : 'still';
  if (before.source !== 'threads' || now.source !== 'threads') return 'unclear';
  const motions = now.threads.map((thread) => {
    const earlier = before.threads.find(({ tid }) => tid === thread.tid);
    return earlier === undefined ? 'unclear' : compareThread(earlier, thread, elapsedMs);
  });
  if (motions.includes('moving')) return 'moving';
  return motions.every((motion) => motion === 'still') ? 'still' : 'unclear';
}

function compareThread(before: VcpuThread, now: VcpuThread, elapsedMs: number): Motion {
  const share = (now.busyMs - before.busyMs) / elapsedMs;
  const sleeps = now.sleeps - before.sleeps;
  if (!(share >= 0 && share < BUSY_SHARE) || sleeps < 0) return 'unclear';
  if (sleeps > REST_SLEEPS) return 'moving';
  // Few sleeps with some work between them may be either.
  return share <= REST_SHARE ? 'still' : 'unclear';
}
