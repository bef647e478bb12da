import type { Journal, JournalEntry } from '../../../src/model/ports.js';

/** What tokens are kept in, in memory. */
export class FakeStore implements Pick<Journal, 'append' | 'loadState' | 'saveState'> {
  readonly entries: JournalEntry[] = [];
  readonly values = new Map<string, string>();

  async append(entries: readonly JournalEntry[]): Promise<void> {
    this.entries.push(...entries);
  }

  async loadState(prefix: string): Promise<ReadonlyMap<string, string>> {
    return new Map([...this.values].filter(([key]) => key.startsWith(prefix)));
  }

  async saveState(values: ReadonlyMap<string, string | null>): Promise<void> {
    for (const [key, value] of values) {
      if (value === null) this.values.delete(key);
      else this.values.set(key, value);
    }
  }
}
