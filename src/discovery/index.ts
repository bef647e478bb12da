export { type FoundVm, isForeign, type Owner } from '../hypervisors/discovery/index.js';
export { type AskAddresses, type Discovery, discover } from './discover.js';
export type { DiscoveredVm } from './found-list.js';
export { HostSearch } from './host-search.js';
