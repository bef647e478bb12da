import { describe, expect, it } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

/** Counts how often the event loop comes round while something is done. */
async function roundsOf(work: (round: () => number) => Promise<unknown>): Promise<number> {
  let round = 0;
  let isOver = false;
  const counting = (async () => {
    while (!isOver) {
      await new Promise(setImmediate);
      round += 1;
    }
  })();
  await work(() => round);
  isOver = true;
  await counting;
  return round;
}

/** A started supervisor on so many VMs; the session of `vm-1` cannot be let go of. */
async function started(vms: number) {
  const harness = new Harness();
  const specs = Array.from({ length: vms }, (_, n) => vmSpec(`vm-${n}`));
  for (const spec of specs) harness.driver.boot(spec);
  const detached = new Set<string>();
  const attach = harness.driver.attach.bind(harness.driver);
  harness.driver.attach = async (vm, process) => {
    const session = await attach(vm, process);
    const detach = async () => {
      detached.add(vm.id);
      if (vm.name === 'vm-1') throw new VmpulseError('ERR_VMPULSE_SYSCALL', 'cannot let go');
    };
    return { ...session, detach };
  };
  await harness.supervisor.start(specs);
  return { harness, specs, detached };
}

describe('close', () => {
  it('lets go of every VM, with few calls to the engine and turns of the event loop in between', async () => {
    const { harness, specs, detached } = await started(800);
    const { engine, supervisor } = harness;
    expect(engine.ids().length).toBeGreaterThan(specs.length);
    const removedAt: number[] = [];
    const remove = engine.remove.bind(engine);
    await roundsOf(async (round) => {
      engine.remove = (handles) => {
        removedAt.push(round());
        remove(handles);
      };
      // One session that fails keeps none of the others.
      await expect(supervisor.close()).rejects.toMatchObject({ message: 'cannot let go' });
    });
    expect(engine.ids()).toEqual([]);
    expect(detached.size).toBe(specs.length);
    expect([...supervisor.units.values()].filter(({ session }) => session !== undefined)).toEqual([]);
    expect(removedAt.length).toBeLessThan(specs.length / 20);
    expect(new Set(removedAt).size, 'turns in which targets were removed').toBeGreaterThanOrEqual(3);
  });

  it('stores the thresholds of all targets before it lets go of them', async () => {
    const { harness } = await started(3);
    const { engine, supervisor, journal } = harness;
    const targets = engine.ids();
    engine.snapshot = async () => {
      await new Promise(setImmediate);
      return Buffer.from(engine.ids().join());
    };
    await supervisor.close().catch(() => {});
    const text = (await journal.loadState('engine')).get('engine');
    expect(Buffer.from(text ?? '', 'base64').toString()).toBe(targets.join());
  });
});

it('a reload in which little changes lets the event loop come round', async () => {
  const { harness, specs } = await started(800);
  const [first, ...rest] = specs;
  if (first === undefined) throw new Error('there are many');
  const next = [{ ...first, labels: { of: 'another' } }, ...structuredClone(rest)];
  const rounds = await roundsOf(async () => {
    const { added, removed, changed } = await harness.supervisor.apply(next);
    expect([added, removed, changed.map(({ id }) => id)]).toEqual([[], [], [first.id]]);
  });
  expect(rounds).toBeGreaterThanOrEqual(3);
});
