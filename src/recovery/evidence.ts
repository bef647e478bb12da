import { errorMessage } from '../model/errors.js';
import type { CapturedEvidence } from '../model/ports.js';
import type { Attempt } from './recovery.js';

const CAPTURE_MS = 2_000;

/**
 * Saves what may explain the failure, as the guest is about to lose it. Evidence is worth two seconds and never the
 * recovery: what cannot be had is left out, and said.
 */
export async function captureEvidence({ action, session, deadline, save }: Attempt): Promise<void> {
  if (session === undefined) return;
  const part = deadline.part(CAPTURE_MS);
  let evidence: CapturedEvidence;
  try {
    evidence = await part.race(session.capture({ ...part.step(), label: action.id }));
  } catch (error) {
    deadline.check();
    evidence = { consoleTail: '', status: `not captured: ${errorMessage(error)}`, files: [] };
  }
  save(evidence);
}
