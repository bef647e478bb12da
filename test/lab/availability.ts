import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';
import { type LabAvailability, labAvailable } from '../../lab/vm.mjs';

/** What `npm run build:agent` makes. */
const GUEST_AGENT = fileURLToPath(new URL('../../native/agent/build/vmpulse-agent', import.meta.url));

export { labAvailable };

/** The lab's programs and files; where there are none, the test is skipped with the reason. */
export function needsLab(context: TestContext): Extract<LabAvailability, { ok: true }> {
  const lab = labAvailable();
  return lab.ok ? lab : context.skip(lab.reason);
}

/** As `needsLab`, with vmpulse's agent for the guest. */
export function needsGuestAgent(context: TestContext): void {
  needsLab(context);
  if (!guestAgentBuilt()) context.skip('the guest agent is not built; run: npm run build:agent');
}

export function guestAgentBuilt(): boolean {
  return existsSync(GUEST_AGENT);
}
