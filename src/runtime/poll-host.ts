import type { Clock } from '../model/clock.js';
import type { PolicyEvent } from '../policy/types.js';

export type HostSigns = Extract<PolicyEvent, { type: 'host-signs' }>['signs'];

type ReadHostSigns = (before: HostSigns, now: number) => HostSigns;

const PERIOD_MS = 2_000;

/** Tells what is seen of the host, whenever that changes, until the returned function is called. */
export type WatchHost = (tell: (signs: HostSigns) => void) => () => void;

/** Looks at the host now and again every 2 s. */
export function pollHost(read: ReadHostSigns, clock: Clock): WatchHost {
  return (tell) => {
    let signs: HostSigns = { shutdown: null, pressure: null, memory: null };
    let cancel = () => {};
    const look = () => {
      const now = clock.now();
      const before = JSON.stringify(signs);
      signs = read(signs, now);
      if (JSON.stringify(signs) !== before) tell(signs);
      cancel = clock.at(now + PERIOD_MS, look);
    };
    look();
    return () => cancel();
  };
}
