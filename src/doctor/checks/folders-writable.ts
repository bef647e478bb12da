import type { DoctorCheck } from '../check.js';
import { error, type Finding, of, ok } from '../finding.js';

export const foldersWritable: DoctorCheck = {
  id: 'folders-writable',
  looksAt: 'Whether the state and run directories lie on a file system that is mounted read-only.',
  why: 'The daemon does not start without them.',
  look: async (context) => {
    const mounts = (await context.host.read('/proc/self/mounts')) ?? '';
    const { stateDir, runDir } = context.demand;
    return [...new Set([stateDir, runDir])].map((folder) => of(folder, judge(folder, mounts)));
  },
};

function judge(folder: string, mounts: string): Finding {
  const [place, options] = mountOf(folder, mounts) ?? ['/', ''];
  if (options.split(',').includes('ro'))
    return error(`${place} is mounted read-only`, `mount -o remount,rw ${place}, once it is known why`);
  return ok(`${place} is mounted for writing`);
}

/** The longest mount point above a folder; of several on one point the last. */
function mountOf(folder: string, mounts: string): readonly [place: string, options: string] | undefined {
  const above = mounts.split('\n').flatMap((line) => {
    const [, escaped = '', , options = ''] = line.split(' ');
    const place = escaped.replace(/\\([0-7]{3})/g, (_, code) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    const isAbove = place === '/' || folder === place || folder.startsWith(`${place}/`);
    return escaped !== '' && isAbove ? [[place, options] as const] : [];
  });
  return above.reduce<readonly [string, string] | undefined>(
    (best, one) => (best === undefined || one[0].length >= best[0].length ? one : best),
    undefined,
  );
}
