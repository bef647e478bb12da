import { VmpulseError } from '../model/errors.js';
import type { Outcome } from '../model/outcome.js';
import type { ProbeCheck } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';
import type { ExternalProbe } from '../probes/external.js';

/**
 * A kind of probe that the host program brings. Says what it found; a throw means that it could not probe, which is
 * inconclusive and never leads to a recovery. `signal` fires at the probe's time-out, which then counts as
 * response-timeout.
 */
export type CustomProbe = (
  vm: VmSpec,
  options: Readonly<Record<string, unknown>>,
  context: { readonly signal: AbortSignal },
) => Promise<Outcome>;

export type CustomProbes = Readonly<Record<string, CustomProbe>>;

type CustomCheck = Extract<ProbeCheck, { kind: 'custom' }>;

/** The host program's probe of that name. Throws ERR_VMPULSE_ARGUMENT when it brings none. */
export function openCustomProbe(probes: CustomProbes, vm: VmSpec, check: CustomCheck): ExternalProbe {
  const custom = Object.hasOwn(probes, check.probe) ? probes[check.probe] : undefined;
  if (custom)
    return { probe: async ({ signal }) => ({ outcome: await custom(vm, check.options, { signal }) }) };
  const known = Object.keys(probes).join(', ') || 'none';
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `no custom probe ${check.probe} is registered (there are: ${known}); give it to Vmpulse as probes`,
  );
}
