import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Renderer, type RendererOptions } from '../../../src/runtime/metrics/renderer.js';
import type { VmRow } from '../../../src/runtime/metrics/vm-row.js';

const GOOD: VmRow = {
  id: 'a/vm',
  health: 'healthy',
  ready: true,
  compliant: true,
  paused: false,
  customizations: [],
  certificates: [],
  thrashes: 0,
};
/** The thread that is told of it dies: a name that is no text. */
const DEADLY: VmRow = JSON.parse(JSON.stringify({ ...GOOD, id: 5 }));
const HEALTH = 'vmpulse_vm_health{namespace="a",vm="vm",state="healthy"} 1';

interface Rendering {
  readonly renderer: Renderer;
  /** What was told of missing metrics. */
  readonly told: (string | undefined)[];
  lines(): Promise<string[]>;
}

function rendering(rows: () => Iterable<VmRow>, more: Partial<RendererOptions> = {}): Rendering {
  const told: (string | undefined)[] = [];
  const renderer = new Renderer({
    head: async () => 'head 1\n',
    changed: () => undefined,
    rows,
    seedNames: () => false,
    onMissing: (why) => told.push(why),
    ...more,
  });
  onTestFinished(() => renderer.close());
  const lines = async () =>
    Buffer.from(await renderer.render('identity'))
      .toString()
      .split('\n');
  return { renderer, told, lines };
}

describe('Renderer', () => {
  it('looks only at the VMs that may have changed, and forgets none of the others', async () => {
    const other = { ...GOOD, id: 'a/other' };
    const asked: (ReadonlySet<string> | undefined)[] = [];
    const told: (ReadonlySet<string> | undefined)[] = [new Set(), new Set(['a/other']), new Set(), undefined];
    const { lines } = rendering(() => [], {
      changed: () => told.shift(),
      rows: (only) => {
        asked.push(only);
        const ready = asked.length === 1;
        if (only === undefined) return asked.length === 1 ? [GOOD, other] : [other];
        return only.has('a/other') ? [{ ...other, ready: !ready }] : [];
      },
    });
    await lines();
    expect(await lines()).toContain(HEALTH);
    expect(await lines()).toContain(HEALTH);
    expect(await lines()).not.toContain(HEALTH);
    expect(asked).toEqual([undefined, new Set(['a/other']), new Set(), undefined]);
  });

  it('replaces a thread that dies within the scrape, and tells the new one of every VM', async () => {
    let rows = [GOOD];
    const { lines, renderer, told } = rendering(() => rows);
    expect(await lines()).toContain(HEALTH);
    let asked = 0;
    const next = [GOOD, { ...GOOD, id: 'a/other' }];
    const { lines: again, renderer: other } = rendering(() => (asked++ === 0 ? [DEADLY] : next));
    rows = next;
    expect(await again()).toEqual(await lines());
    expect([renderer.restarts, other.restarts]).toEqual([0, 1]);
    expect(told).toEqual([undefined, undefined]);
  });

  it('goes without the VMs where the second thread fails, too, says so, and is whole again after it', async () => {
    let rows = [GOOD];
    const { lines, renderer, told } = rendering(() => rows);
    await lines();
    rows = [GOOD, DEADLY];
    const found = await lines();
    expect(found).toEqual(expect.arrayContaining(['head 1', 'vmpulse_vm_series_available 0']));
    expect(found.filter((line) => line.startsWith('vmpulse_vm_health'))).toEqual([]);
    expect(told.at(-1)).toMatch(/^the metrics of single VMs are missing: the thread of the metrics failed/);
    expect(gunzipSync(await renderer.render('gzip')).toString()).toContain('vmpulse_vm_series_available 0');
    rows = [GOOD];
    expect(await lines()).toEqual(expect.arrayContaining([HEALTH, 'vmpulse_vm_series_available 1']));
    expect(told.at(-1)).toBeUndefined();
    expect(renderer.restarts).toBe(4);
  });

  it('does not wait for a thread that is late', async () => {
    const { lines, told } = rendering(() => [GOOD], { deadlineMs: 0 });
    expect(await lines()).toContain('vmpulse_vm_series_available 0');
    expect(told).toEqual([expect.stringContaining('did not end before its deadline')]);
  });

  it('sends a VM again only when it changed', async () => {
    const ids = Array.from({ length: 500 }, (_, n) => `a/vm-${n}`);
    let changed = '';
    const { lines } = rendering(() =>
      ids.map((id) => ({ ...GOOD, id, health: id === changed ? 'degraded' : 'healthy' })),
    );
    const before = await lines();
    expect(before.filter((line) => line.startsWith('vmpulse_vm_ready{'))).toHaveLength(500);
    changed = 'a/vm-7';
    const after = await lines();
    expect(after.filter((line) => !before.includes(line))).toEqual([
      'vmpulse_vm_health{namespace="a",vm="vm-7",state="degraded"} 1',
    ]);
  });

  it('fails as closed once it is', async () => {
    const { renderer, lines } = rendering(() => [GOOD]);
    await lines();
    await renderer.close();
    await expect(renderer.render('identity')).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
  });
});
