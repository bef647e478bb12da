import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { DEFAULT_HOOK_SETTINGS } from '../../../src/model/hook.js';
import { silentLogger } from '../../../src/model/logger.js';
import { Hooks } from '../../../src/runtime/hooks/hooks.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { Recorder } from '../../../src/runtime/recorder.js';
import { testFolder } from '../../fixtures/folder.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { runCommandLine } from '../cli/in-process.js';
import { serve } from './helpers.js';

/** The API and its command line over real hooks. */
async function withHooks() {
  const served = await serve();
  const stateDir = testFolder();
  const vm = { ...vmSpec('web-1'), id: 'default/web-1' };
  const journal = new MemoryJournal();
  const recorder = new Recorder({ journal, clock: systemClock, logger: silentLogger, deadlineMs: 5000 });
  const hooks = new Hooks({
    settings: {
      ...DEFAULT_HOOK_SETTINGS,
      hooks: [{ event: 'pre-start', run: { argv: ['/bin/true', 'all'] } }],
    },
    stateDir,
    runDir: join(stateDir, 'run'),
    host: 'host-1',
    clock: systemClock,
    recorder: () => recorder,
    spec: () => vm,
    specs: () => [vm],
    degrade: () => {},
    onRun: () => {},
  });
  onTestFinished(() => hooks.close());
  await hooks.start();
  served.runtime.hooks = hooks;
  const run = (...args: string[]) => runCommandLine(['--socket', served.socket, 'hooks', ...args]);
  return { ...served, run };
}

describe('hooks', () => {
  it('are added, listed, tested, shown and removed from the command line', async () => {
    const { run } = await withHooks();
    expect(await run('add', 'web-1', 'pre-start', '/bin/true', '--timeout', '5s')).toMatchObject({
      status: 0,
      stdout: 'added pre-start hook /bin/true as h1\n',
    });
    const failing = ['on-failure', '--shell', 'echo "$1 failed: $2"; printf "\\033[31mred\\n"; exit 3'];
    expect(await run('add-global', ...failing)).toMatchObject({ status: 0 });
    const argv = ['--', '/usr/bin/env', 'true'];
    expect(await run('add', 'web-1', 'post-start', '--user', 'nobody', ...argv)).toMatchObject({ status: 0 });
    expect((await run('list', 'web-1')).stdout).toBe(`Hooks for 'web-1':

pre-start:
  - /bin/true (h1)
  - /bin/true all (global, configuration)

post-start:
  - /usr/bin/env true (as nobody, h3)

on-failure:
  - sh -c 'echo "$1 failed: $2"; printf "\\033[31mred\\n"; exit 3' (global, h2)
`);
    expect((await run('list')).stdout).toContain('  - /bin/true (default/web-1, h1)\n');
    expect(await run('test', 'web-1', 'pre-start')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(
        /^\/bin\/true: done, exit status 0, \d\.\d s\n\/bin\/true all: done, exit status 0/,
      ),
    });
    const tested = await run('test', 'web-1', 'on-failure');
    expect(tested.status).toBe(1);
    expect(tested.stdout).toContain('failed, exit status 3: ');
    expect(tested.stdout).toContain('    web-1 failed: test\n    \\u001b[31mred\n');
    const logs = await run('logs', 'web-1', '--limit', '1');
    expect(logs.stdout).toMatch(/^\d{4}-.*Z default\/web-1 on-failure \(test\): sh -c /);
    expect(JSON.parse((await run('logs', '--json')).stdout).runs).toHaveLength(3);
    expect((await run('remove', 'h2')).stdout).toBe('removed h2\n');
    expect(await run('remove', 'h2')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no hook h2/),
    });
    expect(await run('test', 'web-1', 'on-failure')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/has no on-failure hook/),
    });
    expect(await run('add', 'web-1', 'pre-begin', '/bin/true')).toMatchObject({
      status: 64,
      stderr: expect.stringMatching(
        /'pre-begin' is invalid for argument 'event'\. Allowed choices are pre-start, /,
      ),
    });
  });

  it('are refused where what they run is not clear', async () => {
    const { post, get } = await withHooks();
    const add = (hook: object) => post('/v1/hooks/add', { event: 'pre-start', author: 'ann@1000', ...hook });
    for (const [hook, message] of [
      [{}, 'the hook runs one program; write one of file, argv and command'],
      [{ file: '/bin/true', argv: ['/bin/true'] }, 'the hook runs one program'],
      [{ command: 'true' }, 'is read by a shell, which must be asked for'],
      [{ file: 'true' }, 'is not an absolute path'],
      [{ argv: ['true'] }, 'is not an absolute path'],
      [{ file: '/bin/true', timeout: '1ms' }, 'is too short'],
      [{ file: '/bin/true', vm: 'nobody' }, 'no VM named nobody'],
      [{ file: '/bin/true', other: 1 }, 'other'],
    ] as const) {
      const { status, text } = await add(hook);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(text).toContain(message);
    }
    expect(await get('/v1/hooks')).toMatchObject({ json: { hooks: [{ origin: 'configuration' }] } });
    expect(await get('/v1/hooks/logs?limit=x')).toMatchObject({ status: 400 });
  });
});
