import { describe, expect, it, vi } from 'vitest';
import { sendBy } from '../../src/notify/channels/registry.js';
import { HookOccasion } from '../../src/runtime/hooks/occasion.js';
import { runHook } from '../../src/runtime/hooks/run-hook.js';
import { vmSpec } from '../fixtures/vm-spec.js';

// A network file system whose server is gone: whoever asks for a path there waits for ever.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  realpath: () => new Promise(() => {}),
}));

describe('a program on a file system that hangs', () => {
  it('keeps nobody waiting as a hook', async () => {
    const occasion = new HookOccasion({
      event: 'pre-start',
      vm: vmSpec('web'),
      why: { reason: 'test' },
      atMs: 0,
      host: 'kvm-3',
    });
    const call = { occasion, timeoutMs: 100, signal: new AbortController().signal, onSpawn: () => () => {} };
    const ended = await runHook({ event: 'pre-start', run: { file: '/net/hook' } }, call);
    expect(ended).toMatchObject({ result: 'timeout', text: 'was not begun within 0.1 s' });
  });

  it('keeps no message waiting as a channel', async () => {
    const message = { host: 'kvm-3', severity: 'info' as const, incidents: [], more: 0 };
    const sent = sendBy(
      { kind: 'exec', argv: ['/net/notify'] },
      {
        id: 'm-1',
        atMs: 0,
        message,
        smtp: undefined,
        secret: async () => '',
        signal: AbortSignal.timeout(100),
      },
    );
    await expect(sent).rejects.toThrow('the program could not be looked at in time');
  });
});
