import { expect, it } from 'vitest';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { settle } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

/** Writes down in which order what is stored. */
class WatchedJournal extends MemoryJournal {
  readonly stored: string[] = [];

  override async saveState(...args: Parameters<MemoryJournal['saveState']>): Promise<void> {
    this.stored.push(...args[0].keys());
    await super.saveState(...args);
  }
}

it('a boot of the host is remembered only after what it means was stored, as the daemon may die in between', async () => {
  const journal = new WatchedJournal();
  const web = vmSpec('web');
  const before = new Harness({ journal, hostBootId: 'boot-1' });
  await before.startHealthy(web);
  await before.supervisor.close();
  journal.stored.length = 0;
  const after = new Harness({ journal, hostBootId: 'boot-2' });
  await after.supervisor.start([web]);
  await settle();
  const vm = journal.stored.indexOf('policy/vm/test/web');
  expect(vm).toBeGreaterThanOrEqual(0);
  expect(journal.stored.indexOf('host-boot')).toBeGreaterThan(vm);
  await after.supervisor.close();
});
