import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

const EVERY_MINUTE = '* * * * *';

let current: DaemonUnderTest | undefined;

afterEach(async () => {
  await current?.dispose();
  current = undefined;
}, MINUTE);

beforeEach((context) => {
  needsLab(context);
});

describe('recurring maintenance of a real VM', () => {
  it('runs a command through the agent, skips what the guest has no tool for, and reboots it', {
    timeout: 6 * MINUTE,
  }, async () => {
    current = await DaemonUnderTest.create(['a'], {
      prepare: (world) =>
        configureVm(world, 'a', {
          maintenance: [
            { name: 'a-command', schedule: EVERY_MINUTE, command: ['/bin/uname', '-s'] },
            { name: 'b-journal', schedule: EVERY_MINUTE, do: 'journal-vacuum' },
            { name: 'c-restart', schedule: EVERY_MINUTE, do: 'restart' },
          ],
        }),
    });
    const test = current;
    await test.allHealthy();
    const before = await test.bootId('a');
    await poll('it has another boot', 3 * MINUTE, async () => {
      const bootId = await test.bootId('a').catch(() => before);
      return bootId !== before || undefined;
    });
    const { output } = test.cli('maintenance', 'list');
    expect(output).toMatch(/a-command .* done: \/bin\/uname -s ended with status 0: Linux$/m);
    expect(output).toMatch(/b-journal .* skipped: the guest does not say what its system is$/m);
    expect(output).toMatch(/c-restart .* done: reboot carried out$/m);
    const { pastEpisodes, budget } = await test.explain('a');
    expect({ pastEpisodes, used: budget.rolling24hUsed }).toEqual({ pastEpisodes: [], used: 0 });
  });
});
