import { describe, expect, it } from 'vitest';
import type { ProbeEngine } from '../../../src/engine/index.js';
import type { Target } from '../../../src/engine/probe-engine.js';
import { Events, openEngine, target, within } from './support.js';

const HOUR_MS = 3_600_000;
const MANY = 3_000;

/** Slow enough that reports of a busy test are in time. */
const DUE_OFTEN = { periodMs: 400, timeoutMs: 390, failureThreshold: 1 };
const NOT_DUE = { initialDelayMs: HOUR_MS };

const external = (id: string, timing: Partial<Target['timing']>) => target(id, { kind: 'external' }, timing);

/** Reports a failure for each due until one came before its deadline. */
async function fail(engine: ProbeEngine, events: Events, handle: number): Promise<void> {
  while (engine.status(handle).state !== 'failed') {
    const { epoch } = await events.due(handle);
    engine.report(handle, epoch, { result: 'failed', reason: 'console-silent' }, 1);
  }
}

describe.each(['native', 'portable'] as const)('snapshots of the %s engine', (kind) => {
  it('have what the engine was told before they were asked for', async () => {
    const first = openEngine({ engine: kind, threads: 3 });
    const events = new Events(first);
    const ids = Array.from({ length: 6 }, (_, n) => `vm/${n}`);
    const handles = first.add(ids.map((id) => external(id, DUE_OFTEN)));
    for (const handle of handles) await fail(first, events, handle);
    first.newInstance(handles.slice(0, 1));
    first.remove(handles.slice(5));
    const snapshot = await within(first.snapshot(), 'the snapshot');

    const second = openEngine({ engine: kind });
    second.restore(snapshot);
    const again = second.add(ids.map((id) => external(id, NOT_DUE)));
    const states = Array.from(again, (handle) => second.status(handle).state);
    expect(states).toEqual(['unknown', 'failed', 'failed', 'failed', 'failed', 'unknown']);
  });

  it('are whole, also two at once, and keep what was not registered again', async () => {
    const first = openEngine({ engine: kind, threads: 2 });
    first.add(Array.from({ length: MANY }, (_, n) => external(`vm-${n}/x`, NOT_DUE)));
    const [one, other] = await within(Promise.all([first.snapshot(), first.snapshot()]), 'snapshots');
    expect(one.length).toBeGreaterThan(MANY * 42);
    expect(other.length).toBe(one.length);
    const second = openEngine({ engine: kind });
    second.restore(one);
    second.add([external('vm-7/x', NOT_DUE)]);
    expect((await within(second.snapshot(), 'the next one')).length).toBe(one.length);
  });

  it('end with the engine', async () => {
    const engine = openEngine({ engine: kind });
    engine.add(Array.from({ length: MANY }, (_, n) => external(`vm-${n}/x`, NOT_DUE)));
    const ended = expect(engine.snapshot()).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    await within(engine.close(), 'the end');
    await ended;
  });
});
