import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { NotifyChannel } from '../../../src/model/notification.js';
import { IncidentFile } from '../../../src/notify/incident-file.js';
import { Incidents } from '../../../src/notify/incidents.js';
import type { Notice } from '../../../src/notify/notices.js';
import { ManualClock } from '../../fakes/manual-clock.js';

const chat: NotifyChannel = {
  name: 'chat',
  level: 'warnings',
  vms: [],
  way: { kind: 'webhook', url: 'http://127.0.0.1/' },
};

function failure(vm: string, more: Partial<Notice> = {}): Notice {
  const text = `guest-hung (panic): ${'the last words of a guest '.repeat(15)}`;
  return { kind: 'failure', severity: 'error', atMs: 1, vm, topic: `vm:${vm}`, role: 'open', text, ...more };
}

describe('incidents', () => {
  it('are told of the same thing once, and of something else', () => {
    const incidents = new Incidents();
    expect(incidents.take(failure('a'), [chat])).toBe(true);
    expect(incidents.take(failure('a'), [chat])).toBe(false);
    expect(incidents.take(failure('a', { text: 'another' }), [chat])).toBe(true);
    expect(incidents.take(failure('a', { kind: 'escalated' }), [chat])).toBe(true);
    const next = new Incidents();
    next.restore(incidents.stored);
    expect(next.take(failure('a'), [chat])).toBe(false);
  });

  it('take little room, whatever is told in them', () => {
    const incidents = new Incidents();
    for (let n = 0; n < 200; n++) incidents.take(failure('a', { text: `${n} ${'x'.repeat(490)}` }), []);
    expect(JSON.stringify(incidents.stored.open).length).toBeLessThan(1_000);
  });

  it('of which nobody tells the end are forgotten, the oldest first', () => {
    const incidents = new Incidents(3);
    for (let n = 0; n < 5; n++) incidents.take(failure(`vm-${n}`), []);
    expect(incidents.stored.open.map(({ topic }) => topic)).toEqual(['vm:vm-2', 'vm:vm-3', 'vm:vm-4']);
  });

  it('are written together, a second after the first of an outage', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vmpulse-incidents-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const path = join(dir, 'notify', 'incidents.json');
    const clock = new ManualClock();
    const incidents = new Incidents();
    let reads = 0;
    const file = new IncidentFile({
      path,
      clock,
      read: () => {
        reads += 1;
        return incidents.stored;
      },
      degrade: (what, why) => expect.fail(`${what}: ${why}`),
      mend: () => {},
    });
    for (let n = 0; n < 50; n++) {
      incidents.take(failure(`vm-${n}`), [chat]);
      file.changed();
    }
    await clock.advance(999);
    expect(reads).toBe(0);
    await clock.advance(1);
    await file.save();
    expect(reads).toBe(2);
    expect(JSON.parse(readFileSync(path, 'utf8')).open).toHaveLength(50);
  });
});
