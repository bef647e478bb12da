import type { DoctorCheck } from '../check.js';
import { error, type Finding, ok, warning } from '../finding.js';
import { type FolderSpace, ofWatchedFolders } from '../folder-space.js';

export const diskInodes: DoctorCheck = {
  id: 'disk-inodes',
  looksAt: 'Free inodes of the same file systems.',
  why: 'Without an inode no file can be made, however much space there is.',
  look: (context) => ofWatchedFolders(context, judge),
};

function judge(folder: string, { inodes, freeInodes }: FolderSpace): Finding {
  if (inodes === 0) return ok('the file system has as many as it needs');
  const percent = Math.floor((freeInodes / inodes) * 100);
  const seen = `${freeInodes} of ${inodes} inodes are free (${percent} %)`;
  const fix = `du --inodes -x -d1 ${folder} | sort -n`;
  if (percent < 1) return error(seen, fix);
  return percent < 5 ? warning(seen, fix) : ok(seen);
}
