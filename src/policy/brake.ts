import type { Blocker } from './blockers.js';
import { escalateHost, type StepContext, say } from './context.js';
import type { HostState } from './host-state.js';
import { span, utc } from './text.js';

/** Too many fail, by number and by share. */
function overLimit(ctx: StepContext): boolean {
  const { host, config } = ctx.state;
  const { size } = host.failing;
  return size >= config.brakeMinVms && size >= config.brakeRatio * host.counted;
}

function share(ctx: StepContext): string {
  const { failing, counted } = ctx.state.host;
  return `${failing.size} of ${counted} VMs fail or are being recovered`;
}

/** Engages, releases and reports the brake; says whether it changed. */
export function syncBrake(ctx: StepContext): 'engaged' | 'released' | null {
  const { host, config } = ctx.state;
  const over = overLimit(ctx);
  if (!over) host.brakeReleased = false;
  const { brake } = host;
  if (brake === null) {
    if (!over || host.brakeReleased) return null;
    host.brake = { sinceMs: ctx.now, calmSinceMs: null, told: false };
    const limit = `${Math.round(config.brakeRatio * 100)} %`;
    const text = `${share(ctx)}, the limit is ${limit}: recovery of all holds`;
    say(ctx, { vm: null, kind: 'hold', rule: 'fleet-brake', text, data: counts(ctx) });
    return 'engaged';
  }
  if (over) brake.calmSinceMs = null;
  else brake.calmSinceMs ??= ctx.now;
  if (brake.calmSinceMs !== null && ctx.now >= brake.calmSinceMs + config.brakeCooldownMs) {
    host.brake = null;
    const text = `${share(ctx)}, below the limit for ${span(config.brakeCooldownMs)}: recovery goes on`;
    say(ctx, { vm: null, kind: 'note', rule: 'fleet-brake', text, data: counts(ctx) });
    return 'released';
  }
  if (!brake.told && ctx.now >= brake.sinceMs + config.brakeEscalateAfterMs) {
    brake.told = true;
    const text = `the fleet brake holds all recovery since ${utc(brake.sinceMs)}: ${share(ctx)}; a person is needed`;
    escalateHost(ctx, 'fleet-brake', text);
  }
  return null;
}

/** The brake, as what holds a step for a failure. */
export function brakeBlocker({ brake }: HostState): Blocker | null {
  if (brake === null) return null;
  const text = `too many VMs fail at once, the brake holds since ${utc(brake.sinceMs)}`;
  return { rule: 'fleet-brake', text, untilMs: null };
}

function counts(ctx: StepContext): Record<string, unknown> {
  const { failing, counted } = ctx.state.host;
  return { failing: failing.size, counted };
}

/** When the brake has to be looked at again. */
export function brakeWakeAt(ctx: StepContext): number | null {
  const { host, config } = ctx.state;
  if (host.brake === null) return null;
  const { sinceMs, calmSinceMs, told } = host.brake;
  const calmAtMs = calmSinceMs === null ? Number.POSITIVE_INFINITY : calmSinceMs + config.brakeCooldownMs;
  const tellAtMs = told ? Number.POSITIVE_INFINITY : sinceMs + config.brakeEscalateAfterMs;
  const atMs = Math.min(calmAtMs, tellAtMs);
  return Number.isFinite(atMs) ? Math.max(atMs, ctx.now + 1) : null;
}
