import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { runChild } from '../../probes/command/child.js';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The first of the programs that is there, with its path; undefined when none is. */
export async function findTool<Name extends string>(
  names: readonly Name[],
  searchPath: string = SEARCH_PATH,
): Promise<{ readonly name: Name; readonly path: string } | undefined> {
  for (const name of names) {
    for (const folder of searchPath.split(':')) {
      const path = join(folder, name);
      const isThere = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return { name, path };
    }
  }
  return undefined;
}

/** Runs a tool of the host to its end. Throws ERR_VMPULSE_STORAGE with what it said, ERR_VMPULSE_TIMEOUT. */
export async function runTool(argv: readonly string[], cwd: string, deadline: Deadline): Promise<void> {
  const { deadlineMs, signal } = deadline.step();
  const late = AbortSignal.timeout(deadlineMs);
  const { code, endedBy, stderr } = await runChild({
    argv,
    cwd,
    env: { PATH: SEARCH_PATH, LANG: 'C.UTF-8' },
    signal: signal === undefined ? late : AbortSignal.any([late, signal]),
  });
  deadline.check();
  if (code === 0) return;
  const how = code === null ? `was ended by ${endedBy}` : `ended with status ${code}`;
  const said = plainText(stderr.trim().split('\n').slice(-3).join(' | '), 500);
  throw new VmpulseError('ERR_VMPULSE_STORAGE', `${argv[0]} ${how}: ${said || 'it said nothing'}`);
}
