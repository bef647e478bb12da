import type { HealthState } from '../../model/health.js';
import type { VmId } from '../../model/vm.js';
import type { CertificateView } from '../certificate-watch.js';

/** Everything that metrics tell of one VM. Plain data: it travels to the thread that keeps the text. */
export interface VmRow {
  readonly id: VmId;
  readonly health: HealthState;
  readonly ready: boolean;
  readonly compliant: boolean;
  /** Automation is paused, by an annotation or because others undo what it does. */
  readonly paused: boolean;
  /** Annotations in force. */
  readonly customizations: readonly string[];
  /** Seen by its probes. */
  readonly certificates: readonly CertificateView[];
  /** Times that vmpulse waited, or gave in, because others undid what it did. */
  readonly thrashes: number;
}

export function sameRow(a: VmRow, b: VmRow): boolean {
  return (
    a.health === b.health &&
    a.ready === b.ready &&
    a.compliant === b.compliant &&
    a.paused === b.paused &&
    a.thrashes === b.thrashes &&
    a.customizations.length === b.customizations.length &&
    a.customizations.every((name, i) => name === b.customizations[i]) &&
    a.certificates.length === b.certificates.length &&
    a.certificates.every((one, i) => isSame(one, b.certificates[i]))
  );
}

function isSame(a: CertificateView, b: CertificateView | undefined): boolean {
  return a.probe === b?.probe && a.notAfterMs === b.notAfterMs;
}
