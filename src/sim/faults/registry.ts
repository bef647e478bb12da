import type { FaultKind } from './fault.js';
import { GUEST_FAULTS } from './guest.js';
import { VMM_FAULTS } from './vmm.js';

/** Every kind of fault that is injected. */
export const FAULTS: readonly FaultKind[] = [...GUEST_FAULTS, ...VMM_FAULTS];
