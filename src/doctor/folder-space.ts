import { dirname } from 'node:path';
import type { CheckContext } from './check.js';
import { type Finding, of, warning } from './finding.js';

/** What `stat -f` says of the file system of a folder. */
export interface FolderSpace {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  /** 0: the file system has no fixed number of them. */
  readonly inodes: number;
  readonly freeInodes: number;
}

/** The folders that fill up: state, run-time files, disks. */
function watchedFolders({ demand }: CheckContext): readonly string[] {
  return [...new Set([demand.stateDir, demand.runDir, ...demand.diskFolders])];
}

/** One finding for each of them. */
export function ofWatchedFolders(
  context: CheckContext,
  judge: (folder: string, space: FolderSpace) => Finding,
): Promise<Finding[]> {
  return Promise.all(
    watchedFolders(context).map(async (folder) => {
      const space = await folderSpace(context, folder);
      const finding = typeof space === 'string' ? warning(`cannot be told: ${space}`) : judge(folder, space);
      return of(folder, finding);
    }),
  );
}

/**
 * Of a folder, or of where it would be made. By a child process: storage that hangs holds a thread of this one until
 * it is back. A text: why it cannot be told.
 */
async function folderSpace({ host, call }: CheckContext, folder: string): Promise<FolderSpace | string> {
  for (let path = folder; ; path = dirname(path)) {
    const run = await host.run(['stat', '-f', '-c', '%S %b %a %c %d', path], call);
    if (!run.ended) return run.why;
    const figures = /^(\d+) (\d+) (\d+) (\d+) (\d+)$/.exec(run.stdout.trim());
    if (run.code === 0 && figures !== null) {
      const [, block, blocks, free, inodes, freeInodes] = figures.map(Number);
      return {
        sizeBytes: Number(block) * Number(blocks),
        freeBytes: Number(block) * Number(free),
        inodes: Number(inodes),
        freeInodes: Number(freeInodes),
      };
    }
    if (path === dirname(path)) return run.stderr.trim() || `stat ended with status ${run.code}`;
  }
}
