import { describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/model/logger.js';
import type { CallOptions } from '../../../src/model/ports.js';
import { DEFAULT_POLICY_CONFIG, HOST_ROW, serialize, vmRow } from '../../../src/policy/index.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { StateStore } from '../../../src/runtime/state-store.js';
import { ScriptedEngine } from '../../fakes/scripted-engine.js';
import { Stage } from '../policy/stage.js';

/** Remembers which keys each write had. */
class ListeningJournal extends MemoryJournal {
  readonly writes: string[][] = [];

  override async saveState(values: ReadonlyMap<string, string | null>, options: CallOptions): Promise<void> {
    this.writes.push([...values.keys()]);
    await super.saveState(values, options);
  }
}

/** Its snapshots are made when a test says so. */
class SlowEngine extends ScriptedEngine {
  readonly snapshots: {
    readonly resolve: (snapshot: Uint8Array) => void;
    readonly reject: (error: Error) => void;
  }[] = [];

  override snapshot(): Promise<Uint8Array> {
    return new Promise((resolve, reject) => this.snapshots.push({ resolve, reject }));
  }
}

const storeOn = (journal: MemoryJournal) => new StateStore(journal, 1_000, silentLogger, () => 0);
const hold = (vm: string | null) =>
  ({ type: 'hold', vm, reason: 'drill', author: 'ada', untilMs: null }) as const;

function fleet(vms: number): Stage {
  const stage = new Stage();
  for (let n = 0; n < vms; n++) stage.healthy({ id: `test/vm-${n}` });
  return stage;
}

describe('StateStore', () => {
  it('says when it was stored last', async () => {
    const journal = new MemoryJournal();
    let now = 1_000;
    const store = new StateStore(journal, 1_000, silentLogger, () => now);
    const stage = fleet(1);
    await store.loadPolicy(DEFAULT_POLICY_CONFIG);
    expect(await store.loadStoredAt()).toBeNull();
    await store.savePolicy(stage.state);
    now = 2_000;
    // Nothing has changed, and nothing is written.
    await store.savePolicy(stage.state);
    expect(await storeOn(journal).loadStoredAt()).toBe(1_000);
  });

  it('gives the next daemon what this one stored', async () => {
    const journal = new MemoryJournal();
    const stage = fleet(3);
    stage.send(hold('test/vm-1'));
    const store = storeOn(journal);
    await store.loadPolicy(DEFAULT_POLICY_CONFIG);
    await store.savePolicy(stage.state);
    const next = await storeOn(journal).loadPolicy(DEFAULT_POLICY_CONFIG);
    expect(next.vms.get('test/vm-1')?.hold?.author).toBe('ada');
    expect(next.vms.size).toBe(3);
  });

  it('writes the rows that changed and no others, and removes those of VMs that are gone', async () => {
    const journal = new ListeningJournal();
    const stage = fleet(3);
    const store = storeOn(journal);
    await store.loadPolicy(DEFAULT_POLICY_CONFIG);
    await store.savePolicy(stage.state);
    await store.savePolicy(stage.state);
    expect(journal.writes).toHaveLength(1);
    stage.send(hold('test/vm-1'));
    await store.savePolicy(stage.state);
    expect(journal.writes[1]).toEqual([`policy/${vmRow('test/vm-1')}`, 'policy-stored-at']);
    stage.state.vms.delete('test/vm-2');
    await store.savePolicy(stage.state);
    expect(journal.writes[2]).toEqual([`policy/${vmRow('test/vm-2')}`, 'policy-stored-at']);
    expect([...(await journal.loadState('policy/')).keys()]).not.toContain(`policy/${vmRow('test/vm-2')}`);
  });

  it('stores before an action what belongs to it, whatever else has changed', async () => {
    const journal = new ListeningJournal();
    const stage = fleet(500);
    const store = storeOn(journal);
    await store.loadPolicy(DEFAULT_POLICY_CONFIG);
    await store.saveVm(stage.state, 'test/vm-7');
    const rows = [`policy/${HOST_ROW}`, `policy/${vmRow('test/vm-7')}`];
    expect(journal.writes).toEqual([[...rows, 'policy-stored-at']]);
  });

  it('stores a large host in parts between which others run, and misses nothing that changes meanwhile', async () => {
    const journal = new ListeningJournal();
    const stage = fleet(350);
    const store = storeOn(journal);
    await store.loadPolicy(DEFAULT_POLICY_CONFIG);
    const saving = store.savePolicy(stage.state);
    // The first part was made in this turn, with this VM still free.
    stage.send(hold('test/vm-0'));
    await store.saveVm(stage.state, 'test/vm-0');
    await saving;
    expect(Math.max(...journal.writes.map((keys) => keys.length))).toBeLessThanOrEqual(101);
    expect(journal.writes.length).toBeGreaterThan(3);
    await store.savePolicy(stage.state);
    const rows = await journal.loadState('policy/');
    for (const [key, text] of serialize(stage.state)) expect(rows.get(`policy/${key}`), key).toBe(text);
  });

  it('stores thresholds one after another, asked for when it is their turn, whatever becomes of those before', async () => {
    const journal = new MemoryJournal();
    const store = storeOn(journal);
    const engine = new SlowEngine(() => 0);
    const stored = async () => {
      const text = (await journal.loadState('engine')).get('engine');
      return Buffer.from(text ?? '', 'base64').toString();
    };
    const saves = [1, 2, 3].map(() => store.saveEngine(engine));
    await vi.waitFor(() => expect(engine.snapshots).toHaveLength(1));
    engine.snapshots[0]?.resolve(Buffer.from('older'));
    await saves[0];
    expect(await stored()).toBe('older');
    await vi.waitFor(() => expect(engine.snapshots).toHaveLength(2));
    engine.snapshots[1]?.reject(new Error('overloaded'));
    await expect(saves[1]).rejects.toThrow('overloaded');
    await vi.waitFor(() => expect(engine.snapshots).toHaveLength(3));
    // A view of larger memory.
    engine.snapshots[2]?.resolve(Buffer.from('a newer one').subarray(2, 7));
    await saves[2];
    expect(await stored()).toBe('newer');
  });

  it('writes nothing over what it could not read, until a person accepts the loss', async () => {
    const journal = new MemoryJournal();
    const damaged = new Map([
      ['policy/host', '{"damaged'],
      ['policy/vm/test/old', '{}'],
    ]);
    await journal.saveState(damaged, { deadlineMs: 1_000 });
    const store = storeOn(journal);
    const refused = { code: 'ERR_VMPULSE_JOURNAL' };
    await expect(store.loadPolicy(DEFAULT_POLICY_CONFIG)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
    const stage = fleet(1);
    await expect(store.savePolicy(stage.state)).rejects.toMatchObject(refused);
    await expect(store.saveVm(stage.state, 'test/vm-0')).rejects.toMatchObject(refused);
    expect(await journal.loadState('policy/')).toEqual(damaged);
    store.acceptLoss();
    await store.saveVm(stage.state, 'test/vm-0');
    expect([...(await journal.loadState('policy/')).keys()]).toEqual([
      `policy/${HOST_ROW}`,
      `policy/${vmRow('test/vm-0')}`,
    ]);
  });

  it('loses nothing of what is written beside the write that replaces what could not be read', async () => {
    const journal = new MemoryJournal();
    const stage = fleet(3);
    const damaged = [...serialize(stage.state)].map(
      ([key, text]) => [`policy/${key}`, text.slice(0, 9)] as const,
    );
    await journal.saveState(new Map(damaged), { deadlineMs: 1_000 });
    const store = storeOn(journal);
    await expect(store.loadPolicy(DEFAULT_POLICY_CONFIG)).rejects.toThrow();
    stage.send(hold('test/vm-1'));
    store.acceptLoss();
    const all = store.savePolicy(stage.state);
    stage.send(hold('test/vm-2'));
    await Promise.all([all, store.savePolicy(stage.state, new Set(['test/vm-2']))]);
    const next = await storeOn(journal).loadPolicy(DEFAULT_POLICY_CONFIG);
    const held = [...next.vms.values()].flatMap(({ id, hold: by }) => (by === null ? [] : [id]));
    expect(held.toSorted()).toEqual(['test/vm-1', 'test/vm-2']);
    expect(next.vms.size).toBe(3);
  });
});
