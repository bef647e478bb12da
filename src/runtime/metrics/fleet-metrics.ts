import { Counter } from 'prom-client';
import { type ActionResult, LADDER_STEPS } from '../../model/action.js';
import { HEALTH_STATES } from '../../model/health.js';
import { gauge, type Making } from './making.js';

const RESULTS: readonly ActionResult['result'][] = ['done', 'failed', 'impossible'];

/** The VMs of the host together, and what holds their recovery. */
export function makeFleetMetrics(making: Making): void {
  gauge(making, 'vmpulse_vms', 'VMs watched, by state of health.', ['state'], ({ view }, set) => {
    for (const state of HEALTH_STATES) set({ state }, view.healthCounts.get(state) ?? 0);
  });
  gauge(
    making,
    'vmpulse_edit_wars',
    'VMs that are left as others want them, because they undid what vmpulse did.',
    [],
    ({ view }, set) => set({}, view.editWars),
  );
  gauge(making, 'vmpulse_recovery_holds', 'Holds on recovery in force.', [], ({ view }, set) =>
    set({}, view.holds.length),
  );
  gauge(
    making,
    'vmpulse_fleet_brake_held_seconds',
    'How long the fleet brake has held all recovery, 0 while it does not.',
    [],
    ({ view }, set) => set({}, heldSeconds(view.brakeSinceMs, view.nowMs)),
  );
  gauge(
    making,
    'vmpulse_shared_cause_held_seconds',
    'How long VMs that failed together have been left alone as one incident, 0 while none are.',
    [],
    ({ view }, set) => set({}, heldSeconds(view.incidentSinceMs, view.nowMs)),
  );
}

function heldSeconds(sinceMs: number | null, nowMs: number): number {
  return sinceMs === null ? 0 : Math.max(0, nowMs - sinceMs) / 1000;
}

/** Every pair of labels is there from the start, so that a first one is an increase. */
export function makeRecoveries({ registers }: Making): Counter<'step' | 'result'> {
  const recoveries = new Counter({
    name: 'vmpulse_recoveries_total',
    help: 'Recovery actions that ended, by ladder step and result.',
    labelNames: ['step', 'result'],
    registers,
  });
  for (const step of LADDER_STEPS) for (const result of RESULTS) recoveries.inc({ step, result }, 0);
  return recoveries;
}
