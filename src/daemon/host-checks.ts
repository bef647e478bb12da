import { kernelMissing, kvmInfo } from '../kernel/index.js';
import { errorMessage } from '../model/errors.js';

/** What this host or process lacks: each works only in part without it, and status shows it. */
export function missingOnHost(): { readonly what: string; readonly why: string }[] {
  const missing: { what: string; why: string }[] = [];
  if (process.geteuid?.() !== 0) {
    missing.push({
      what: 'privileges',
      why: 'not run as root: VMMs of other users cannot be watched or ended, and half-open probes are not possible',
    });
  }
  // Without it nobody can say, and that it is missing is said already.
  if (kernelMissing() !== undefined) return missing;
  try {
    kvmInfo();
  } catch (error) {
    missing.push({ what: 'kvm', why: `guests are not accelerated: ${errorMessage(error)}` });
  }
  return missing;
}
