import type { DoctorCheck } from '../check.js';
import { error, type Finding, ok, warning } from '../finding.js';
import { type FolderSpace, ofWatchedFolders } from '../folder-space.js';
import { bytesText } from '../units.js';

const FULL = { share: 0.02, bytes: 128 * 1024 ** 2 };
const SHORT = { share: 0.1, bytes: 1024 ** 3 };

export const diskSpace: DoctorCheck = {
  id: 'disk-space',
  looksAt: 'Free space where state, run-time files and the disks of VMs lie.',
  why: 'Without space the journal stalls (recovery then holds), guests get I/O errors and images cannot grow.',
  look: (context) => ofWatchedFolders(context, judge),
};

function judge(folder: string, { sizeBytes, freeBytes }: FolderSpace): Finding {
  const share = sizeBytes === 0 ? 1 : freeBytes / sizeBytes;
  const seen = `${bytesText(freeBytes)} of ${bytesText(sizeBytes)} are free (${Math.round(share * 100)} %)`;
  const fix = `du -xh -d1 ${folder} | sort -h`;
  // Both: a small share of a large disk is space, and a small disk is not full by being small.
  if (share < FULL.share && freeBytes < FULL.bytes * 8) return error(seen, fix);
  if (share < SHORT.share && freeBytes < SHORT.bytes * 8) return warning(seen, fix);
  return freeBytes < FULL.bytes ? warning(seen, fix) : ok(seen);
}
