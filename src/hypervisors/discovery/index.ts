export { type FoundVms, findVms } from './find-vms.js';
export { type FoundVm, isForeign, type Mark, type Owner } from './found-vm.js';
