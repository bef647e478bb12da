import { type RecoveryLogAnswer, recoveryLogAnswer } from '../daemon/answers/journal.js';
import type { DaemonClient } from './client.js';
import { type Answer, answersOf, asCame } from './format.js';
import { pages } from './pages.js';

const PAGE = 1_000;
const MAX_PAGES = 20;

export type Recovery = RecoveryLogAnswer['recoveries'][number];

export interface Recoveries {
  /** Newest first, each as it came. */
  readonly recoveries: readonly Answer<Recovery>[];
  /** There were more within the time: the newest were looked at. */
  readonly truncated: boolean;
}

/** What was done to VMs (undefined: to any) since a time. Looks at 20,000 recoveries at most. */
export async function recoveriesSince(
  client: DaemonClient,
  fromMs: number,
  vms: ReadonlySet<string> | undefined,
): Promise<Recoveries> {
  const found: Answer<Recovery>[] = [];
  if (vms?.size === 0) return { recoveries: found, truncated: false };
  // The daemon chooses one VM; of several it would be asked as often.
  const [only, another] = vms ?? [];
  const about = only === undefined || another !== undefined ? '' : `&vm=${encodeURIComponent(only)}`;
  const ask = (cursor: string | undefined) => {
    const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    return client.get(
      `/v1/recovery/log?from=${fromMs}&limit=${PAGE}${about}${from}`,
      asCame(recoveryLogAnswer),
    );
  };
  let [seen, truncated] = [0, false];
  for await (const { data, shown } of pages(ask, (page) => page.shown.next)) {
    found.push(...answersOf(data.recoveries, shown.recoveries));
    truncated = shown.next !== null;
    if (++seen === MAX_PAGES) break;
  }
  const recoveries = vms === undefined ? found : found.filter(({ shown }) => vms.has(shown.vm));
  return { recoveries, truncated };
}

/** Says so where there were more than were looked at. */
export function truncatedText({ truncated }: Recoveries): string {
  return truncated ? `only the newest ${MAX_PAGES * PAGE} recoveries of that time were looked at\n` : '';
}
