import { readdirSync, readFileSync } from 'node:fs';

/** Name of the responder's thread (native/engine/core/src/responder): the other end is not the prober's cost. */
const RESPONDER = 'vmpulse-respond';

/** On-CPU time of this process's threads so far, µs, without the responder's (schedstat, exact to the nanosecond). */
export function probingUs(): number {
  let us = 0;
  for (const tid of readdirSync('/proc/self/task')) {
    const folder = `/proc/self/task/${tid}`;
    if (read(`${folder}/comm`) !== RESPONDER) us += Number(read(`${folder}/schedstat`).split(' ')[0]) / 1000;
  }
  return us;
}

/** Empty for a thread that has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}
