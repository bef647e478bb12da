import type { HardwareSpec } from '../hypervisor.js';

/** A VMM that somebody else owns: known by what stands on its command line, watched, and never acted on. */
export interface ObservedSpec extends HardwareSpec {
  readonly driver: 'observed';
  /** `mark`: an option of its command line and a part of the value after it, for example `-uuid 6ba7…`. */
  readonly adopt: { readonly mark: string };
}
