import type { z } from 'zod';
import { type RecoveryLogAnswer, recoveryLogAnswer } from '../daemon/answers/journal.js';
import type { DaemonClient } from './client.js';
import { type Answer, answersOf, asCame } from './format.js';

const PAGE = 1_000;
const MAX_PAGES = 20;

type Page = Answer<RecoveryLogAnswer, z.input<typeof recoveryLogAnswer>>;
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
  let cursor: string | null = '';
  for (let page = 0; page < MAX_PAGES && cursor !== null; page++) {
    const path: string = `/v1/recovery/log?from=${fromMs}&limit=${PAGE}${about}${cursor}`;
    const { data, shown }: Page = await client.get(path, asCame(recoveryLogAnswer));
    found.push(...answersOf(data.recoveries, shown.recoveries));
    cursor = shown.next === null ? null : `&cursor=${encodeURIComponent(shown.next)}`;
  }
  const recoveries = vms === undefined ? found : found.filter(({ shown }) => vms.has(shown.vm));
  return { recoveries, truncated: cursor !== null };
}

/** Says so where there were more than were looked at. */
export function truncatedText({ truncated }: Recoveries): string {
  return truncated ? `only the newest ${MAX_PAGES * PAGE} recoveries of that time were looked at\n` : '';
}
