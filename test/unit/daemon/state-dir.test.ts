import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { takeFolders } from '../../../src/daemon/state-dir.js';
import { testFolder } from '../../fixtures/folder.js';

const UNTRUSTED = { code: 'ERR_VMPULSE_UNTRUSTED' };
const STRANGER = 65_530;
const isRoot = process.geteuid?.() === 0;

function folders() {
  const dir = testFolder();
  return { dir, state: join(dir, 'state'), run: join(dir, 'run') };
}

async function take(state: string, run: string): Promise<void> {
  const lock = await takeFolders(state, run);
  onTestFinished(() => lock.close());
}

describe('the folders of a daemon', () => {
  it('are made, the one with the state for nobody else', async () => {
    const { state, run } = folders();
    await take(state, run);
    expect(statSync(state).mode & 0o027).toBe(0);
    expect(statSync(run).mode & 0o022).toBe(0);
  });

  it.each([
    ['state', 0o777],
    ['state', 0o1777],
    ['run', 0o777],
    // As in /tmp: others cannot take away what is there, and can be there first.
    ['run', 0o1777],
  ] as const)('are refused where others may put something there: %s with mode %o', async (which, mode) => {
    const here = folders();
    mkdirSync(here[which]);
    chmodSync(here[which], mode);
    await expect(takeFolders(here.state, here.run)).rejects.toMatchObject(UNTRUSTED);
    expect(existsSync(join(here.state, 'lock'))).toBe(false);
  });

  it.for([
    'state',
    'run',
  ] as const)('are refused where they are of somebody else: %s', async (which, context) => {
    if (!isRoot) context.skip('only root gives folders to somebody else');
    const here = folders();
    mkdirSync(here[which]);
    chownSync(here[which], STRANGER, STRANGER);
    await expect(takeFolders(here.state, here.run)).rejects.toMatchObject({
      ...UNTRUSTED,
      message: expect.stringContaining('belongs to the user 65530'),
    });
  });

  const FILES = ['lock', 'journal.db', 'journal.db-wal', 'journal.db-shm', 'journal.db.id'];
  const TRICKS = [
    ['a symbolic link', symlinkSync],
    ['a second name', linkSync],
    ['a symbolic link to nothing', (_target: string, path: string) => symlinkSync('/nowhere/at/all', path)],
    ['a folder', (_target: string, path: string) => mkdirSync(path)],
  ] as const;
  const cases = FILES.flatMap((file) => TRICKS.map(([what, make]) => [file, what, make] as const));

  it.each(cases)('are refused with %s as %s, which stays as it is', async (file, _what, make) => {
    const { dir, state, run } = folders();
    mkdirSync(state, { mode: 0o750 });
    const target = join(dir, 'target');
    writeFileSync(target, 'precious', { mode: 0o600 });
    make(target, join(state, file));
    await expect(takeFolders(state, run)).rejects.toMatchObject({
      ...UNTRUSTED,
      message: expect.stringContaining(join(state, file)),
    });
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(existsSync('/nowhere')).toBe(false);
  });

  it('are one daemon’s: another is refused', async () => {
    const { state, run } = folders();
    await take(state, run);
    await expect(takeFolders(state, run)).rejects.toMatchObject({ code: 'ERR_VMPULSE_LOCKED' });
  });
});
