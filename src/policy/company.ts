import type { VmId } from '../model/vm.js';
import { LIMITS } from './defaults.js';
import type { Brake, Incident } from './host-state.js';
import { covers, coversAll, incidentEndsAtMs } from './shared-cause.js';
import { inTime, span, utc } from './text.js';
import type { PolicyState } from './types.js';

/** Who fails together, and when the brake lets go: what one VM alone does not show. */
export function brakeSentences(state: PolicyState, brake: Brake, now: number): string[] {
  const { host, config } = state;
  const { size } = host.failing;
  const limit = `${Math.round(config.brakeRatio * 100)} %`;
  const forMs = span(config.brakeCooldownMs);
  return [
    `${size} of ${host.counted} VMs fail or are being recovered, the limit is ${limit}${named(state, [...host.failing])}.`,
    brake.calmSinceMs === null
      ? `It goes on once fewer do for ${forMs}.`
      : `Fewer do since ${utc(brake.calmSinceMs)}: if that lasts, it goes on at ${inTime(brake.calmSinceMs + config.brakeCooldownMs, now)}.`,
  ];
}

/** The same of an incident. */
export function incidentSentences(state: PolicyState, incident: Incident, now: number): string[] {
  const { host, config } = state;
  const failing = [...host.failing].filter((id) => {
    const vm = state.vms.get(id);
    return vm !== undefined && covers(incident, vm);
  });
  const shared = coversAll(incident) ? 'of this host' : `that share ${incident.cause}`;
  const endsAtMs = incidentEndsAtMs(incident, config);
  return [
    `${failing.length} VMs ${shared} fail now${named(state, failing)}.`,
    Number.isFinite(endsAtMs)
      ? `If nothing changes, it goes on at ${inTime(endsAtMs, now)}.`
      : `It goes on once fewer than ${config.sharedCauseMinVms} have failed for ${span(config.brakeCooldownMs)}, or a single one for ${span(config.sharedCauseWindowMs)}.`,
  ];
}

function named(state: PolicyState, ids: readonly VmId[]): string {
  if (ids.length === 0) return '';
  const each = ids.slice(0, LIMITS.namesTold).map((id) => {
    const sinceMs = state.vms.get(id)?.failingSinceMs;
    return sinceMs == null ? id : `${id} since ${utc(sinceMs)}`;
  });
  const rest = ids.length > LIMITS.namesTold ? ` and ${ids.length - LIMITS.namesTold} more` : '';
  return `: ${each.join(', ')}${rest}`;
}
