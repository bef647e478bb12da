import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileLock } from '../../../src/kernel/index.js';
import { addonPath, TemporaryFolder, thrownBy } from './support.js';

/** Another process that takes the lock, says so, and holds it until it is killed. */
async function holder(path: string) {
  const script = `globalThis.lock = new (require(${JSON.stringify(addonPath())}).FileLock)(${JSON.stringify(path)});
    process.stdout.write('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

describe('FileLock', () => {
  it('is refused while another process holds it, and free once that was killed', async () => {
    using folder = new TemporaryFolder();
    const path = folder.file('lock');
    const child = await holder(path);
    expect(thrownBy(() => new FileLock(path))).toMatchObject({
      name: 'VmpulseError',
      code: 'ERR_VMPULSE_LOCKED',
      message: `${path} is locked by another process`,
      details: { path },
      cause: { code: 'ERR_VMPULSE_SYSCALL', details: { errno: 'EAGAIN', syscall: 'flock' } },
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    using lock = new FileLock(path);
    expect(lock.closed).toBe(false);
  });

  it('is released by close(), once, and its file stays', () => {
    using folder = new TemporaryFolder();
    const path = folder.file('lock');
    const first = new FileLock(path);
    expect(thrownBy(() => new FileLock(path))).toMatchObject({ code: 'ERR_VMPULSE_LOCKED' });
    first.close();
    expect(first.closed).toBe(true);
    expect(existsSync(path)).toBe(true);
    using second = new FileLock(path);
    first.close();
    expect(thrownBy(() => new FileLock(path))).toMatchObject({ code: 'ERR_VMPULSE_LOCKED' });
    expect(second.closed).toBe(false);
  });

  it('is not inherited by programs that this process starts', async () => {
    using folder = new TemporaryFolder();
    const lock = new FileLock(folder.file('lock'));
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    await once(child, 'spawn');
    onTestFinished(() => void child.kill('SIGKILL'));
    lock.close();
    expect(() => new FileLock(folder.file('lock')).close()).not.toThrow();
  });

  it('takes its file away with it when told so', () => {
    using folder = new TemporaryFolder();
    const lock = new FileLock(folder.file('lock'));
    lock.remove();
    expect(existsSync(lock.path)).toBe(false);
    expect(lock.closed).toBe(true);
    using next = new FileLock(folder.file('lock'));
    // The former owner has nothing to remove any more.
    lock.remove();
    expect(existsSync(next.path)).toBe(true);
  });

  it('creates a private file', () => {
    using folder = new TemporaryFolder();
    using lock = new FileLock(folder.file('lock'));
    expect(statSync(lock.path).mode & 0o077).toBe(0);
  });

  it('names what is wrong with the path', () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file('folder'));
    symlinkSync(folder.file('elsewhere'), folder.file('link'));
    const errnoOf = (name: string) => thrownBy(() => new FileLock(folder.file(name)));
    expect(errnoOf('none/lock')).toMatchObject({ code: 'ERR_VMPULSE_SYSCALL', details: { errno: 'ENOENT' } });
    expect(errnoOf('folder')).toMatchObject({ code: 'ERR_VMPULSE_SYSCALL', details: { errno: 'EISDIR' } });
    expect(errnoOf('link')).toMatchObject({ code: 'ERR_VMPULSE_SYSCALL', details: { errno: 'ELOOP' } });
  });

  it.each(['', 'a\0b', 'x'.repeat(4096)])('refuses a path that is none', (path) => {
    expect(thrownBy(() => new FileLock(path))).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  });
});
