import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/pool/index.js';

const TASKS = new URL('./tasks.mjs', import.meta.url);
const SOON = { deadlineMs: 20_000 };

describe('the worker pool', () => {
  let pool = new WorkerPool();
  afterEach(async () => {
    await pool.close();
    pool = new WorkerPool();
  });

  it('runs a task on a thread and hands its result or error on', async () => {
    expect(await pool.run(TASKS, { type: 'echo', value: { big: 2n ** 60n } }, SOON)).toEqual({
      big: 2n ** 60n,
    });
    await expect(pool.run(TASKS, { type: 'throw' }, SOON)).rejects.toThrow('the task fails');
  });

  it('ends a task that spins at its deadline, and goes on', async () => {
    await expect(pool.run(TASKS, { type: 'spin' }, { deadlineMs: 500 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
      message: 'pool task tasks.mjs did not end within 500 ms',
    });
    expect(await pool.run(TASKS, { type: 'echo', value: 1 }, SOON)).toBe(1);
  });

  it('lets a caller withdraw a task', async () => {
    const abort = new AbortController();
    const task = pool.run(TASKS, { type: 'wait', ms: 60_000 }, { ...SOON, signal: abort.signal });
    abort.abort();
    await expect(task).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    await expect(
      pool.run(TASKS, { type: 'echo' }, { ...SOON, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ABORTED',
    });
  });

  it('refuses outstanding and later tasks once it is closed', async () => {
    const tasks = ['spin', 'wait', 'spin', 'wait'].map((type) => pool.run(TASKS, { type, ms: 60_000 }, SOON));
    const codes = Promise.all(tasks.map((task) => task.catch((error) => error.code)));
    await pool.close();
    await pool.close();
    expect(await codes).toEqual(Array(4).fill('ERR_VMPULSE_CLOSED'));
    await expect(pool.run(TASKS, { type: 'echo' }, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CLOSED',
    });
  });

  it('does not keep a process alive that is done with it', async () => {
    const module = new URL('../../../dist/pool/index.js', import.meta.url).href;
    const code = `import { WorkerPool } from '${module}';
      console.log(await new WorkerPool().run(new URL('${TASKS}'), { type: 'echo', value: 'done' }, { deadlineMs: 20000 }));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
      timeout: 20_000,
    });
    expect(stdout).toBe('done\n');
  });
});
