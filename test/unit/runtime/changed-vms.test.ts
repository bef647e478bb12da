import { describe, expect, it } from 'vitest';
import type { ProbeCheck } from '../../../src/model/probe.js';
import { ChangedVms } from '../../../src/runtime/changed-vms.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

describe('ChangedVms', () => {
  it('are those that were added since they were taken, and all at first', () => {
    const changed = new ChangedVms();
    changed.add(['a/early']);
    expect(changed.take(1_000)).toBeUndefined();
    changed.add(['a/one', 'a/two']);
    changed.add(['a/one']);
    expect([...(changed.take(2_000) ?? [])]).toEqual(['a/one', 'a/two']);
    expect(changed.take(3_000)?.size).toBe(0);
  });

  it('are all once somebody says so, and once a minute', () => {
    const changed = new ChangedVms();
    changed.take(0);
    changed.addAll();
    changed.add(['a/one']);
    expect(changed.take(1)).toBeUndefined();
    expect(changed.take(60_000)).toEqual(new Set());
    expect(changed.take(60_001)).toBeUndefined();
    expect(changed.take(60_002)).toEqual(new Set());
  });
});

describe('a supervisor', () => {
  const https: ProbeCheck = { kind: 'httpGet', http: { scheme: 'https', port: 443, path: '/', headers: [] } };
  const usual = vmSpec('web');
  const web = vmSpec('web', { probes: [...usual.probes, probeSpec('tls', 'check', https)] });
  const db = vmSpec('db');

  it('tells of everything that metrics show of a VM, and of no other VM', async () => {
    const h = new Harness();
    await h.startHealthy(web, db);
    expect(h.supervisor.takeChanged()).toBeUndefined();
    expect(h.supervisor.takeChanged()).toEqual(new Set());
    const changes: readonly (() => void | Promise<void>)[] = [
      () => h.engine.transition('test/web/readiness', 'failed', 'connection-refused'),
      () => h.supervisor.degrade('probe/test/web/tls', 'it is left out'),
      () => h.supervisor.degrade('probe/test/web', undefined),
      () => {
        h.engine.details.set('test/web/tls', { certificateNotAfterMs: h.clock.now() + 1e10 });
        return h.clock.advance(60_000);
      },
    ];
    for (const change of changes) {
      await change();
      await h.clock.advance(0);
      expect(h.supervisor.takeChanged()).toEqual(new Set(['test/web']));
    }
    await h.supervisor.apply([db]);
    expect(h.supervisor.takeChanged()).toBeUndefined();
    await h.supervisor.close();
  });
});
