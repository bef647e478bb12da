import type { z } from 'zod';
import type { HypervisorSpec } from '../../model/vm.js';
import type { BuildContext } from './hardware.js';

/** What a driver's mapping in the host document looks like, and what becomes of it. */
export interface HypervisorKind<Written> {
  readonly schema: z.ZodType<Written>;
  /** Merges it with the manifest. Undefined, with a problem, where something is missing. */
  build(written: Written, context: BuildContext): HypervisorSpec | undefined;
  /** What gives a VM the guest agent that it lacks. */
  agentRemedy(written: Written): string;
}
