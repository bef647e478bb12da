export type { FoundVm, Owner } from '../hypervisors/discovery/index.js';
export { type DiscoveredVm, type Discovery, discover } from './discover.js';
