import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { EventRelay } from '../../../src/hypervisors/vmm/event-relay.js';
import type { VmmEvent } from '../../../src/model/ports.js';

describe('a relay of events', () => {
  it('goes on when its listener throws, and lets the error be seen', () => {
    const later: (() => void)[] = [];
    vi.stubGlobal('queueMicrotask', (act: () => void) => later.push(act));
    onTestFinished(() => void vi.unstubAllGlobals());
    const heard: VmmEvent['type'][] = [];
    const relay = new EventRelay();
    relay.tell({ type: 'paused' }, 1);
    relay.tell({ type: 'resumed' }, 2);
    relay.listen(({ type }) => {
      heard.push(type);
      throw new Error(`of ${type}`);
    });
    relay.tell({ type: 'powerdown' }, 3);
    expect(heard).toEqual(['paused', 'resumed', 'powerdown']);
    expect(later).toHaveLength(3);
    expect(later[2]).toThrow('of powerdown');
  });
});
