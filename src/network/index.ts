/** The host's side of the VMs' networks: bridges, TAP devices, NAT, security groups. */
export { type Forwarding, hostForwarding } from './forwarding.js';
export type { NetworkFault, NetworkProblem } from './inspect.js';
export { hostLinks, type Links } from './links.js';
export { NetworkKeeper } from './network-keeper.js';
export { hostFilter, type PacketFilter } from './nft.js';
export { canBeGuarded, groupName, RuleKeeper } from './rule-keeper.js';
export {
  DEFAULT_GROUP,
  type GroupPolicy,
  type NewRule,
  newRuleSchema,
  ruleText,
  type SecurityRule,
} from './rules/group.js';
export { GroupStore } from './rules/group-store.js';
export { effectiveRules } from './rules/render.js';
