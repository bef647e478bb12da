import type { TestContext } from 'vitest';
import { type LabAvailability, labAvailable } from '../../lab/vm.mjs';

export { labAvailable };

/** The lab's programs and files; where there are none, the test is skipped with the reason. */
export function needsLab(context: TestContext): Extract<LabAvailability, { ok: true }> {
  const lab = labAvailable();
  return lab.ok ? lab : context.skip(lab.reason);
}
