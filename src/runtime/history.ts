import { z } from 'zod';
import type { JournalPage, JournalQuery } from '../model/journal-query.js';
import type { Journal, StoredJournalEntry } from '../model/ports.js';
import type { VmId } from '../model/vm.js';

/**
 * How one recovery ended. `success`: health came back after it; `done`: it was carried out, and health did not come back,
 * or not yet; `impossible`: it would have been wrong to try; `held`: something kept it back at the last moment;
 * `unresolved`: the daemon died in it; `running`: it has no end yet.
 */
export type RecoveryResult = 'success' | 'done' | 'failed' | 'impossible' | 'held' | 'unresolved' | 'running';

/** One recovery: what was wrong, what was done, and what came of it. */
export interface RecoveryLogView {
  readonly actionId: string;
  readonly vm: VmId;
  readonly startedAtMs: number;
  /** What was wrong, in one sentence with what was seen; whole and as guests said it: whoever shows it shortens and escapes it. */
  readonly issue: string;
  readonly diagnosis: { readonly kind: string; readonly cause: string };
  /** The step of the ladder. */
  readonly action: string;
  readonly attempt: number;
  readonly result: RecoveryResult;
  /** The end of the action; null while there is none. */
  readonly endedAtMs: number | null;
  /** Health was back; null: not after this action. */
  readonly healedAtMs: number | null;
  /** From the start to health, or to the end of the action where health did not come back; null while there is none. */
  readonly durationMs: number | null;
  /** What came of it, in one sentence; as above. */
  readonly text: string;
}

export type RecoveryLogQuery = Pick<JournalQuery, 'vm' | 'fromMs' | 'untilMs' | 'order' | 'cursor' | 'limit'>;

export interface RecoveryLogPage {
  readonly recoveries: readonly RecoveryLogView[];
  /** As that of a page of the journal. */
  readonly next: string | null;
}

/** What happened, as the journal has it. */
export interface HistoryApi {
  /** Entries by VM, type, class and time. Rejects with ERR_VMPULSE_ARGUMENT for a cursor that no page gave. */
  entries(query: JournalQuery): Promise<JournalPage>;
  /** What was done to VMs and what came of it, by the time of its start. Errors as above. */
  recoveries(query: RecoveryLogQuery): Promise<RecoveryLogPage>;
}

export class History implements HistoryApi {
  readonly #journal: Journal;
  readonly #settled: () => Promise<void>;

  /** `settled` resolves once what was recorded before is in the journal. */
  constructor(journal: Journal, settled: () => Promise<void>) {
    this.#journal = journal;
    this.#settled = settled;
  }

  async entries(query: JournalQuery): Promise<JournalPage> {
    await this.#settled();
    return this.#journal.query(query);
  }

  async recoveries(query: RecoveryLogQuery): Promise<RecoveryLogPage> {
    const { entries: starts, next } = await this.entries({ ...query, types: ['action-start'] });
    const ids = starts.flatMap(({ actionId }) => actionId ?? []);
    const related = ids.length === 0 ? [] : await this.#journal.ofActions(ids);
    const byAction = new Map<string | null, StoredJournalEntry[]>();
    for (const entry of related) {
      const others = byAction.get(entry.actionId);
      if (others === undefined) byAction.set(entry.actionId, [entry]);
      else others.push(entry);
    }
    return { recoveries: starts.flatMap((start) => recoveryOf(start, byAction.get(start.actionId))), next };
  }
}

const startData = z.object({
  step: z.string(),
  attempt: z.number(),
  diagnosis: z.object({
    kind: z.string(),
    cause: z.string(),
    evidence: z.array(z.object({ text: z.string() })).default([]),
  }),
});

const RESULTS: ReadonlyMap<unknown, RecoveryResult> = new Map(
  (['done', 'failed', 'impossible', 'held', 'unresolved'] as const).map((result) => [result, result]),
);

function recoveryOf(
  start: StoredJournalEntry,
  related: readonly StoredJournalEntry[] = [],
): RecoveryLogView[] {
  const { data } = startData.safeParse(start.data);
  const { vm, actionId, atMs: startedAtMs } = start;
  // An entry that cannot be read, or one of an older vmpulse.
  if (data === undefined || vm === null || actionId === null) return [];
  const { step, attempt, diagnosis } = data;
  const end = related.findLast(({ type, seq }) => type === 'action-end' && seq > start.seq);
  const healed = related.find(
    ({ type, seq, data: said }) => type === 'decision' && said.rule === 'healed' && seq > start.seq,
  );
  const endedAtMs = end?.atMs ?? null;
  const healedAtMs = healed?.atMs ?? null;
  const lastAtMs = healedAtMs ?? endedAtMs;
  const seen = diagnosis.evidence.map(({ text }) => text).join('; ');
  return [
    {
      ...{ actionId, vm, startedAtMs },
      issue: `${diagnosis.kind} (${diagnosis.cause})${seen === '' ? '' : `: ${seen}`}`,
      diagnosis: { kind: diagnosis.kind, cause: diagnosis.cause },
      ...{ action: step, attempt },
      result: healed ? 'success' : end ? (RESULTS.get(end.data.result) ?? 'failed') : 'running',
      ...{ endedAtMs, healedAtMs },
      durationMs: lastAtMs === null ? null : Math.max(0, lastAtMs - startedAtMs),
      text: (healed ?? end ?? start).text,
    },
  ];
}
