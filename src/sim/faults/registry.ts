import { DAEMON_FAULTS } from './daemon.js';
import type { FaultKind } from './fault.js';
import { GUEST_FAULTS } from './guest.js';
import { HOST_FAULTS } from './host.js';
import { MAINTENANCE } from './maintenance.js';
import { MEMORY_FAULTS } from './memory.js';
import { PEOPLE } from './people.js';
import { VMM_FAULTS } from './vmm.js';

/** Every kind of fault that is injected. */
export const FAULTS: readonly FaultKind[] = [
  ...GUEST_FAULTS,
  ...VMM_FAULTS,
  ...HOST_FAULTS,
  ...MEMORY_FAULTS,
  ...PEOPLE,
  ...MAINTENANCE,
  ...DAEMON_FAULTS,
];
