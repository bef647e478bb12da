import type { ProbeSpec } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';

/** A probe as its VM is configured. */
export interface Configured {
  readonly vm: VmSpec;
  readonly probe: ProbeSpec;
  /** It runs outside the engine. */
  readonly isExternal: boolean;
}

/** Whether a probe that is registered asks what it is to ask now, so that what the engine has counted of it stays true. */
export function asksTheSame(known: Configured, next: Pick<Configured, 'vm' | 'probe'>): boolean {
  if (known.probe.role !== next.probe.role || known.vm.address !== next.vm.address) return false;
  if (!isSame(known.probe.check, next.probe.check)) return false;
  if (!known.isExternal) return true;
  // What it was opened with; a probe that the host program brings got the whole VM.
  const [was, is] = [known.probe.timing, next.probe.timing];
  return (
    next.probe.check.kind !== 'custom' &&
    was.periodMs === is.periodMs &&
    was.timeoutMs === is.timeoutMs &&
    isSame(known.vm.hypervisor, next.vm.hypervisor)
  );
}

/** Of two things of plain data that were compiled alike. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
