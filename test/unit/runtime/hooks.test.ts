import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { identify } from '../../../src/hypervisors/process.js';
import { systemClock } from '../../../src/model/clock.js';
import { DEFAULT_HOOK_SETTINGS, type Hook, type HookSettings } from '../../../src/model/hook.js';
import { silentLogger } from '../../../src/model/logger.js';
import type { VmSpec } from '../../../src/model/vm.js';
import { runChild } from '../../../src/probes/command/child.js';
import { Hooks } from '../../../src/runtime/hooks/hooks.js';
import { RunningHooks } from '../../../src/runtime/hooks/running-hooks.js';
import { untrusted } from '../../../src/runtime/hooks/trusted-file.js';
import { MemoryJournal } from '../../../src/runtime/journal/index.js';
import { Recorder } from '../../../src/runtime/recorder.js';
import { testFolder } from '../../fixtures/folder.js';
import { vmSpec } from '../../fixtures/vm-spec.js';

const PATIENCE = { timeout: 20_000, interval: 20 };
const never = new AbortController().signal;
const why = { reason: 'vmm-dead/process-gone', detail: 'process 7 is gone', actionId: 'a-1' };
const isRoot = process.geteuid?.() === 0;

function script(dir: string, name: string, ...lines: string[]): string {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o755 });
  chmodSync(path, 0o755);
  return path;
}

function world(options: { vm?: Partial<VmSpec>; settings?: Partial<HookSettings>; stateDir?: string } = {}) {
  const stateDir = options.stateDir ?? testFolder();
  const vm = vmSpec('web', options.vm);
  const journal = new MemoryJournal();
  const recorder = new Recorder({ journal, clock: systemClock, logger: silentLogger, deadlineMs: 5000 });
  const ran: string[] = [];
  const degraded = new Map<string, string>();
  const hooks = new Hooks({
    settings: { ...DEFAULT_HOOK_SETTINGS, ...options.settings },
    stateDir,
    runDir: join(stateDir, 'run'),
    host: 'kvm-3',
    clock: systemClock,
    recorder: () => recorder,
    spec: () => vm,
    specs: () => [vm],
    degrade: (what, text) => void (text === undefined ? degraded.delete(what) : degraded.set(what, text)),
    onRun: (event, result) => ran.push(`${event} ${result}`),
  });
  onTestFinished(() => hooks.close());
  const texts = async () => {
    await recorder.settled();
    return (await journal.read({ limit: 100 })).map(({ text }) => text);
  };
  return { hooks, vm, stateDir, ran, degraded, texts };
}

const preStart = (file: string, more: Partial<Hook> = {}): Hook => ({
  event: 'pre-start',
  run: { file },
  ...more,
});

describe('pre-start hooks', () => {
  it('are given name, reason and time, and the environment; what they write is kept', async () => {
    const dir = testFolder();
    const file = script(
      dir,
      'pre-start.sh',
      `echo "$1|$2|$3" > ${dir}/args`,
      `env > ${dir}/env`,
      'echo checks passed',
    );
    const { hooks, vm, ran, texts } = world({ vm: { hooks: [preStart(file)] } });
    await hooks.start();
    expect(await hooks.beforeStart(vm, why, never)).toBeUndefined();
    expect(readFileSync(join(dir, 'args'), 'utf8')).toMatch(
      /^web\|vmm-dead\/process-gone\|\d{4}-\d\d-\d\dT[0-9:.]+Z\n$/,
    );
    const env = readFileSync(join(dir, 'env'), 'utf8').split('\n');
    for (const line of [
      'VMPULSE_EVENT=pre-start',
      'VMPULSE_VM=test/web',
      'VMPULSE_HOST=kvm-3',
      'VMPULSE_DETAIL=process 7 is gone',
      'VMPULSE_ACTION_ID=a-1',
      'AZLIN_VM_NAME=web',
      'AZLIN_VM_ID=00000000-0000-4000-8000-000000000001',
      'AZLIN_EVENT=pre-start',
      'AZLIN_REGION=kvm-3',
      'AZLIN_RESOURCE_GROUP=test',
    ])
      expect(env).toContain(line);
    expect(env.some((line) => line.startsWith('AZLIN_TIMESTAMP=2'))).toBe(true);
    expect(ran).toEqual(['pre-start done']);
    expect(await hooks.logs({ vm: vm.id, limit: 5 })).toMatchObject([
      { event: 'pre-start', result: 'done', stdout: 'checks passed\n', origin: 'document' },
    ]);
    expect(await texts()).toEqual([expect.stringMatching(/^pre-start hook .*pre-start\.sh done after/)]);
  });

  it('keep a start back with what they said last, and the later ones are not run', async () => {
    const dir = testFolder();
    const failing = script(dir, 'a', 'echo "ERROR: Shared storage not mounted"', 'exit 1');
    const later = script(dir, 'b', `touch ${dir}/ran`);
    const { hooks, vm, texts } = world({ vm: { hooks: [preStart(failing), preStart(later)] } });
    await hooks.start();
    const refused = await hooks.beforeStart(vm, why, never);
    expect(refused).toBe(`pre-start hook ${failing}: exit status 1: ERROR: Shared storage not mounted`);
    expect(() => readFileSync(join(dir, 'ran'))).toThrow(/ENOENT/);
    expect((await texts()).join('\n')).toContain('failed: exit status 1: ERROR: Shared storage not mounted');
  });

  it('end at their limit with every process of their group, and that keeps a start back', async () => {
    const dir = testFolder();
    const file = script(
      dir,
      'endless',
      'trap "" TERM',
      `(trap "" TERM; while :; do sleep 1; done) & echo $! > ${dir}/child`,
      'while :; do sleep 1; done',
    );
    const { hooks, vm, ran } = world({ vm: { hooks: [preStart(file, { timeoutMs: 500 })] } });
    await hooks.start();
    expect(await hooks.beforeStart(vm, why, never)).toContain('did not end within 0.5 s and was ended');
    expect(ran).toEqual(['pre-start timeout']);
    const child = Number(readFileSync(join(dir, 'child'), 'utf8'));
    await vi.waitFor(() => expect(identify(child)).toBeUndefined(), PATIENCE);
  });

  it('are those of the VM before those of the host, documents before what was added', async () => {
    const dir = testFolder();
    const file = (name: string) => script(dir, name, `echo ${name} >> ${dir}/order`);
    const { hooks, vm, stateDir } = world({
      vm: { hooks: [preStart(file('document'))] },
      settings: { hooks: [preStart(file('configuration'))] },
    });
    await hooks.start();
    await hooks.add({ vm: null, hook: preStart(file('added-global')), author: 'ann' });
    await hooks.add({ vm: vm.id, hook: preStart(file('added')), author: 'ann' });
    await hooks.beforeStart(vm, why, never);
    const order = ['document', 'added', 'configuration', 'added-global'];
    expect(readFileSync(join(dir, 'order'), 'utf8').trim().split('\n')).toEqual(order);
    expect(hooks.list(vm.id).map(({ id, vm: of, origin }) => [id, of, origin])).toEqual([
      [null, vm.id, 'document'],
      ['h2', vm.id, 'added'],
      [null, null, 'configuration'],
      ['h1', null, 'added'],
    ]);

    const next = world({ stateDir });
    await next.hooks.start();
    expect(next.hooks.list(undefined).map(({ id, author }) => [id, author])).toEqual([
      ['h1', 'ann'],
      ['h2', 'ann'],
    ]);
    await next.hooks.remove({ id: 'h1', author: 'bob' });
    await expect(next.hooks.remove({ id: 'h1', author: 'bob' })).rejects.toThrow(/no hook h1 was added/);
    expect(next.hooks.list(undefined).map(({ id }) => id)).toEqual(['h2']);
    const again = await next.hooks.add({ vm: null, hook: preStart('/bin/true'), author: 'bob' });
    expect(again.id).toBe('h3');
    await expect(next.hooks.add({ vm: null, hook: preStart('/bin/true'), author: 'x' })).rejects.toThrow(
      /was added already, as h3/,
    );
  });

  it('take a shell only where one is asked for', async () => {
    const dir = testFolder();
    const run = async (hook: Hook) => {
      const { hooks, vm } = world({ vm: { hooks: [hook] } });
      await hooks.start();
      return hooks.beforeStart(vm, why, never);
    };
    const shell = `test "$1" = web && test "$2" = vmm-dead/process-gone && echo x > ${dir}/x`;
    expect(await run({ event: 'pre-start', run: { shell } })).toBeUndefined();
    expect(readFileSync(join(dir, 'x'), 'utf8')).toBe('x\n');
    expect(
      await run({ event: 'pre-start', run: { argv: ['/bin/sh', '-c', 'test $# = 0'] } }),
    ).toBeUndefined();
  });

  it('that would be refused when they are run are not added', async () => {
    const { hooks } = world();
    await hooks.start();
    const add = (file: string) => hooks.add({ vm: null, hook: preStart(file), author: 'ann' });
    const dir = testFolder();
    const plain = script(dir, 'plain', 'true');
    chmodSync(plain, 0o644);
    await expect(add(join(dir, 'nothing'))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: expect.stringContaining('ENOENT'),
    });
    await expect(add(plain)).rejects.toThrow(/run chmod \+x/);
    expect(hooks.list(undefined)).toEqual([]);
  });

  it('that were added and cannot be read keep every start back, and the file is left alone', async () => {
    const stateDir = testFolder();
    writeFileSync(join(stateDir, 'hooks.json'), '{"lastId": 1, "hooks": [{]}');
    const { hooks, vm, degraded } = world({ stateDir });
    await hooks.start();
    expect(await hooks.beforeStart(vm, why, never)).toContain('hooks.json cannot be read');
    expect(degraded.get('hooks')).toContain('no VM is started');
    await expect(hooks.add({ vm: null, hook: preStart('/bin/true'), author: 'x' })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_STORAGE',
    });
    expect(readFileSync(join(stateDir, 'hooks.json'), 'utf8')).toContain('[{]');
  });

  it('are withdrawn by their caller, and nothing is told of them then', async () => {
    const dir = testFolder();
    const file = script(dir, 'slow', `echo > ${dir}/began`, 'sleep 60');
    const { hooks, vm, ran, texts } = world({ vm: { hooks: [preStart(file)] } });
    await hooks.start();
    const abort = new AbortController();
    const asked = hooks.beforeStart(vm, why, abort.signal);
    await vi.waitFor(() => readFileSync(join(dir, 'began')), PATIENCE);
    abort.abort();
    expect(await asked).toContain('was withdrawn');
    expect(ran).toEqual([]);
    expect(await texts()).toEqual([]);
  });
});

describe('a program that others could have written', () => {
  it('is refused, and says which chmod helps', async () => {
    const dir = testFolder();
    const file = script(dir, 'hook', 'exit 0');
    chmodSync(file, 0o775);
    expect(await untrusted(file, undefined)).toContain(`chmod go-w ${file}`);
    chmodSync(file, 0o755);
    expect(await untrusted(file, undefined)).toBeUndefined();
    const folder = join(dir, 'shared');
    mkdirSync(folder);
    const below = script(folder, 'hook', 'exit 0');
    chmodSync(folder, 0o777);
    expect(await untrusted(below, undefined)).toContain(`${folder} can be written by others`);
    // Nobody can replace what belongs to others there, as in /tmp.
    chmodSync(folder, 0o1777);
    expect(await untrusted(below, undefined)).toBeUndefined();
    chmodSync(below, 0o644);
    expect(await untrusted(below, undefined)).toContain('chmod +x');
    expect(await untrusted(join(dir, 'missing'), undefined)).toContain('cannot be looked at');
    expect(await untrusted(dir, undefined)).toContain('is no file');
  });

  it('is refused when it belongs to another user than the one it runs as', async (context) => {
    if (!isRoot) context.skip('only root gives files away');
    const dir = testFolder();
    const file = script(dir, 'hook', 'exit 0');
    chownSync(file, 65_534, 65_534);
    expect(await untrusted(file, undefined)).toContain('belongs to user 65534');
    expect(await untrusted(file, 65_534)).toBeUndefined();
  });

  it('is not run', async () => {
    const dir = testFolder();
    const file = script(dir, 'hook', `touch ${dir}/ran`);
    chmodSync(file, 0o777);
    const { hooks, vm, ran } = world({ vm: { hooks: [preStart(file)] } });
    await hooks.start();
    expect(await hooks.beforeStart(vm, why, never)).toContain('can be written by others');
    expect(ran).toEqual(['pre-start refused']);
    expect(() => readFileSync(join(dir, 'ran'))).toThrow(/ENOENT/);
  });

  it('runs as the user who is asked for', async (context) => {
    if (!isRoot) context.skip('only root runs programs as somebody else');
    const argv = ['/bin/sh', '-c', 'id -un; id -G'];
    const hook: Hook = { event: 'pre-start', run: { argv }, user: 'nobody' };
    const { hooks, vm } = world({ vm: { hooks: [hook] } });
    await hooks.start();
    const [run] = await hooks.test({ vm: vm.id, event: 'pre-start', author: 'ann', signal: never });
    expect(run).toMatchObject({ result: 'done' });
    expect(run?.stdout).toMatch(/^nobody\n\d+\n$/);
  });
});

describe('hooks that nothing waits for', () => {
  it('run a few at a time, those of one VM in order', async () => {
    const dir = testFolder();
    const file = script(
      dir,
      'note',
      `echo begin $VMPULSE_EVENT >> ${dir}/order`,
      `while ! [ -e ${dir}/go ]; do sleep 0.05; done`,
      `echo end $VMPULSE_EVENT >> ${dir}/order`,
    );
    const hooks_: Hook[] = [
      { event: 'on-failure', run: { file } },
      { event: 'on-recovery', run: { file } },
    ];
    const { hooks, vm, ran } = world({ vm: { hooks: hooks_ }, settings: { concurrency: 1 } });
    await hooks.start();
    hooks.note('on-failure', vm, why);
    hooks.note('on-recovery', vm, why);
    const other = { ...vm, id: 'test/other', hooks: [{ event: 'post-start', run: { file } }] } as const;
    hooks.note('post-start', other, why);
    const written = () => readFileSync(join(dir, 'order'), 'utf8');
    await vi.waitFor(() => expect(written()).toBe('begin on-failure\n'), PATIENCE);
    writeFileSync(join(dir, 'go'), '');
    await vi.waitFor(() => expect(ran).toHaveLength(3), PATIENCE);
    const order = written().trim().split('\n');
    expect(order.indexOf('end on-failure')).toBeLessThan(order.indexOf('begin on-recovery'));
    // One at a time: every begin is followed by its own end.
    for (let i = 0; i < order.length; i += 2) expect(order[i]?.replace('begin', 'end')).toBe(order[i + 1]);
  });

  it('do not hold up a start', async () => {
    const dir = testFolder();
    const slow = script(dir, 'slow', `echo $$ > ${dir}/pid`, 'sleep 60');
    const { hooks, vm } = world({
      vm: { hooks: [{ event: 'on-failure', run: { file: slow } }, preStart('/bin/true')] },
      settings: { concurrency: 1 },
    });
    await hooks.start();
    hooks.note('on-failure', vm, why);
    await vi.waitFor(() => readFileSync(join(dir, 'pid')), PATIENCE);
    expect(await hooks.beforeStart(vm, why, never)).toBeUndefined();
    const pid = Number(readFileSync(join(dir, 'pid'), 'utf8'));
    expect(identify(pid)).toBeDefined();
    await hooks.close();
    await vi.waitFor(() => expect(identify(pid)).toBeUndefined(), PATIENCE);
  });
});

describe('a hook that does not end even when it is killed', () => {
  it('is left behind, and ended by the next daemon if it can be then', async () => {
    const dir = testFolder();
    const file = script(dir, 'hangs', 'exec sleep 60');
    const first = world({ vm: { hooks: [preStart(file, { timeoutMs: 2_000 })] } });
    await first.hooks.start();
    // As if it hung in the kernel: no signal reaches it.
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    const refused = await first.hooks.beforeStart(first.vm, why, never);
    const [group = 0] = kill.mock.calls[0] ?? [];
    kill.mockRestore();
    expect(refused).toContain('did not end within 2 s, not even when it was killed');
    expect(identify(-group)).toBeDefined();
    const next = world({ stateDir: first.stateDir });
    await next.hooks.start();
    await vi.waitFor(() => expect(identify(-group)).toBeUndefined(), PATIENCE);
    expect((await next.texts()).join()).toContain('of a former daemon was still running and was ended');
  });
});

describe('what hooks wrote', () => {
  const run = async ({ hooks, vm }: ReturnType<typeof world>) => hooks.beforeStart(vm, why, never);

  it('that cannot be kept or read is told, until it can', async () => {
    const dir = testFolder();
    const own = world({ vm: { hooks: [preStart(script(dir, 'a', 'echo hello'))] } });
    await own.hooks.start();
    const log = join(own.stateDir, 'hook-runs.jsonl');
    mkdirSync(log);
    await run(own);
    await vi.waitFor(
      () => expect(own.degraded.get('hook-log')).toMatch(/^runs of hooks are not kept: EISDIR/),
      PATIENCE,
    );
    const all = { vm: undefined, limit: 10 };
    await expect(own.hooks.logs(all)).rejects.toMatchObject({ code: 'ERR_VMPULSE_STORAGE' });
    rmSync(log, { recursive: true });
    await run(own);
    expect(await own.hooks.logs(all)).toMatchObject([{ stdout: 'hello\n' }]);
    await vi.waitFor(() => expect(own.degraded.has('hook-log')).toBe(false), PATIENCE);
  });

  it('is whole after half a line that a daemon left that died', async () => {
    const dir = testFolder();
    const own = world({ vm: { hooks: [preStart(script(dir, 'a', 'echo hello'))] } });
    writeFileSync(join(own.stateDir, 'hook-runs.jsonl'), '{"atMs":1,"vm":"te');
    await own.hooks.start();
    await run(own);
    await run(own);
    expect(await own.hooks.logs({ vm: undefined, limit: 10 })).toHaveLength(2);
  });
});

describe('a daemon that died in the middle of a hook', () => {
  it('is followed by one that ends the hook with its group', async () => {
    const runDir = testFolder();
    const running = new RunningHooks(runDir);
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    let pid = 0;
    const child = runChild({
      argv: ['/bin/sh', '-c', 'sleep 60 & wait'],
      cwd: '/',
      env: {},
      signal: abort.signal,
      onSpawn: (started) => {
        pid = started;
        running.note(started, 'on-failure hook /x of test/web');
      },
    });
    expect(await new RunningHooks(runDir).endLeft()).toEqual(['on-failure hook /x of test/web']);
    expect(await child).toMatchObject({ endedBy: 'SIGKILL' });
    expect(identify(pid)).toBeUndefined();
    expect(await new RunningHooks(runDir).endLeft()).toEqual([]);
  });

  it('does not touch a process that has got its number since', async () => {
    const runDir = testFolder();
    const running = new RunningHooks(runDir);
    running.note(process.pid, 'pre-start hook /x of test/web');
    const path = join(runDir, 'hooks', `${process.pid}.json`);
    const noted: { startTimeTicks: number } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...noted, startTimeTicks: noted.startTimeTicks - 1 }));
    expect(await running.endLeft()).toEqual([]);
  });
});
