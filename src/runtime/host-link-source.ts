import { LinkMonitor, linkInfo } from '../kernel/index.js';
import type { LinkSource } from './link-watch.js';

/** The network devices of the host that this process runs on. `degraded` is told when they are not heard of any more. */
export function hostLinkSource(degraded: (why: string) => void): LinkSource {
  return {
    look: linkInfo,
    listen: (changed) => {
      const monitor = new LinkMonitor(({ names, overrun, failure }) => {
        if (failure !== null) degraded(`changes of network devices are not heard of any more: ${failure}`);
        changed(overrun || failure !== null ? null : names);
      });
      return () => monitor.close();
    },
  };
}
