import { describe, expect, it } from 'vitest';
import type { VmmEvent } from '../../../src/model/ports.js';
import type { RunStrategy } from '../../../src/model/vm.js';
import { policyVm, Stage } from './stage.js';

const BY_GUEST: VmmEvent = { type: 'shutdown', guest: true, reason: 'guest-shutdown' };
const QUIT: VmmEvent = { type: 'shutdown', guest: false, reason: 'host-qmp-quit' };
const SIGTERM: VmmEvent = { type: 'shutdown', guest: false, reason: 'host-signal' };
const WATCHDOG: VmmEvent = { type: 'watchdog', action: 'poweroff' };
const STRATEGIES: readonly RunStrategy[] = ['Always', 'RerunOnFailure', 'Once', 'Manual', 'Halted'];

/** For each end: what it means, and the run strategies that bring the VM back. */
const ENDS: readonly {
  readonly what: string;
  readonly words: readonly VmmEvent[];
  readonly cause: string;
  readonly restarted: readonly RunStrategy[];
}[] = [
  { what: 'a crash', words: [], cause: 'process-gone', restarted: ['Always', 'RerunOnFailure'] },
  {
    what: 'a watchdog that powered off',
    words: [WATCHDOG],
    cause: 'watchdog-expired',
    restarted: ['Always', 'RerunOnFailure'],
  },
  {
    what: 'a watchdog that shut down',
    words: [{ type: 'watchdog', action: 'shutdown' }, BY_GUEST],
    cause: 'watchdog-expired',
    restarted: ['Always', 'RerunOnFailure'],
  },
  {
    what: 'an error of the host',
    words: [{ type: 'shutdown', guest: false, reason: 'host-error' }],
    cause: 'process-gone',
    restarted: ['Always', 'RerunOnFailure'],
  },
  {
    what: 'a panic that shut down',
    words: [{ type: 'shutdown', guest: true, reason: 'guest-panic' }],
    cause: 'guest-panicked',
    restarted: ['Always', 'RerunOnFailure'],
  },
  { what: 'a clean shutdown from inside', words: [BY_GUEST], cause: 'guest-shutdown', restarted: ['Always'] },
  {
    what: 'a reboot from inside under a VMM that ends with it',
    words: [{ type: 'shutdown', guest: true, reason: 'guest-reset' }],
    cause: 'guest-shutdown',
    restarted: ['Always', 'RerunOnFailure'],
  },
  { what: 'quit through the monitor', words: [QUIT], cause: 'operator-stop', restarted: [] },
  { what: 'SIGTERM', words: [SIGTERM], cause: 'operator-stop', restarted: [] },
  {
    what: 'the power button pressed by somebody else',
    words: [{ type: 'powerdown' }, BY_GUEST],
    cause: 'operator-stop',
    restarted: [],
  },
];

describe.each(ENDS)('$what', ({ words, cause, restarted }) => {
  it.each(STRATEGIES)('under run strategy %s', (runStrategy) => {
    const s = new Stage().healthy({ runStrategy });
    for (const event of [...words, { type: 'exited' } satisfies VmmEvent]) s.vmm(event);
    const { episode, pastEpisodes } = s.explain();
    expect((episode ?? pastEpisodes.at(-1))?.diagnosis.cause).toBe(cause);
    s.advance(86_400_000);
    expect(s.steps).toEqual(restarted.includes(runStrategy) ? ['start'] : []);
    if (!restarted.includes(runStrategy)) {
      expect(s.health()).toBe('stopped');
      expect(pastEpisodes.at(-1)?.outcome).toBe('intended');
    }
  });
});

describe('an end that is not ours to undo', () => {
  it('is reported and held until the VM is started', () => {
    const s = new Stage().healthy();
    s.vmm(QUIT);
    s.vmm({ type: 'exited' });
    expect(s.explain().holds).toMatchObject([{ rule: 'external-stop' }]);
    s.advance(10_000);
    s.attach();
    s.allOk();
    expect(s.health()).toBe('healthy');
    s.vmm({ type: 'exited' });
    expect(s.steps, 'the stop was of another time').toEqual(['start']);
  });

  it('ends when a person releases the VM', () => {
    const s = new Stage().healthy();
    s.vmm(SIGTERM);
    s.vmm({ type: 'exited' });
    s.send({ type: 'release', vm: 'test/web', author: 'ada' });
    expect(s.steps).toEqual(['start']);
  });

  it('is not ended by releasing a VM whose run strategy does not want it', () => {
    const s = new Stage().healthy({ runStrategy: 'Manual' });
    s.vmm(SIGTERM);
    s.vmm({ type: 'exited' });
    s.send({ type: 'release', vm: 'test/web', author: 'ada' });
    expect(s.steps).toEqual([]);
  });

  it('a crash that nobody undoes is escalated', () => {
    const s = new Stage().healthy({ runStrategy: 'Manual' });
    s.vmm({ type: 'exited' });
    expect(s.escalations).toHaveLength(1);
    s.advance(86_400_000);
    expect(s.escalations).toHaveLength(1);
  });

  it('last words that come after the end still count while nothing was done', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.vmm({ type: 'exited' });
    s.vmm(QUIT);
    expect(s.health()).toBe('stopped');
    expect(s.explain().pastEpisodes.at(-1)?.diagnosis.cause).toBe('operator-stop');
  });
});

describe('the power button', () => {
  it('explains a shutdown that follows within ten minutes, and no later one', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'powerdown' });
    s.advance(601_000);
    s.vmm(BY_GUEST);
    s.vmm({ type: 'exited' });
    expect(s.steps).toEqual(['start']);
  });
});

describe('a run strategy that is changed while the VM is down', () => {
  it('decides from then on', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.fail();
    s.send({ type: 'vm-configured', vm: policyVm({ runStrategy: 'Manual' }) });
    s.advance(600_000);
    expect(s.steps).toEqual(['start']);
    expect(s.health()).toBe('stopped');
    s.send({ type: 'vm-configured', vm: policyVm({ runStrategy: 'RerunOnFailure' }) });
    expect(s.steps).toEqual(['start', 'start']);
  });
});

describe('an end during our own action', () => {
  it('belongs to the power-cycle, whatever the VMM says', () => {
    const s = new Stage().healthy({ steps: ['power-cycle'] });
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(s.steps).toEqual(['power-cycle']);
    s.vmm(QUIT);
    s.vmm({ type: 'exited' });
    s.attach();
    s.end();
    s.allOk();
    expect(s.health()).toBe('healthy');
    expect(s.steps).toEqual(['power-cycle']);
  });

  it('is brought back also under Manual: we ended it', () => {
    const s = new Stage().healthy({ runStrategy: 'Manual', steps: ['power-cycle', 'start'] });
    s.vmm({ type: 'panicked', action: 'pause' });
    s.vmm({ type: 'exited' });
    s.fail();
    s.advance(60_000);
    expect(s.steps).toEqual(['power-cycle', 'start']);
  });

  it('a guest that powers off instead of rebooting is started', () => {
    const s = new Stage().healthy({ steps: ['reboot', 'start'] });
    s.probe('liveness', 'failed', 'bad-status');
    s.answer({ liveness: 'bad-status', readiness: 'bad-status', agent: 'ok', api: 'ok', process: 'ok' });
    expect(s.steps).toEqual(['reboot']);
    s.vmm({ type: 'powerdown' });
    s.vmm(BY_GUEST);
    s.vmm({ type: 'exited' });
    s.end();
    s.advance(20_000);
    expect(s.steps).toEqual(['reboot', 'start']);
  });

  it('an operator who quits the VMM during a reset is obeyed', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'none' });
    s.vmm(QUIT);
    s.vmm({ type: 'exited' });
    s.fail();
    s.advance(600_000);
    expect(s.steps).toEqual(['reset']);
    expect(s.health()).toBe('stopped');
  });
});

it('a process that is gone is not back because a look could not be made', () => {
  const s = new Stage().healthy();
  s.probe('process', 'failed', 'process-gone');
  s.probe('api', 'failed', 'guest-panicked');
  s.probe('process', 'blind', 'prober-late');
  expect(s.steps).toEqual([]);
});
