import type { VmmSpec } from '../../model/hypervisor.js';
import type { HypervisorSpec } from '../../model/vm.js';

/** Specifications of the VMs whose VMM is a process of vmpulse's. */
export type ProcessSpec = Extract<HypervisorSpec, VmmSpec>;
