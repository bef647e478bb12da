import { readFile } from 'node:fs/promises';
import type { ProbeEngine, Target } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import type { GuestAccess } from '../model/guest.js';
import type { VmmSession } from '../model/ports.js';
import { type ProbeSpec, startState } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';
import type { ExternalProbe, ProbeHost } from '../probes/external.js';
import { type PreparedCheck, prepareCheck } from '../probes/prepare-check.js';
import { type CustomProbes, openCustomProbe } from './custom-probes.js';

/** A probe on its way into the engine. */
export interface Registration {
  readonly probe: ProbeSpec;
  readonly target: Target;
  readonly external: ExternalProbe | undefined;
}

type Unavailable = (probe: string, why: string) => void;

export interface ProbeSetting {
  readonly vm: VmSpec;
  readonly session: VmmSession;
  /** Since when the guest runs, ms: so much of the initial delay is over. It may boot again while a probe is prepared. */
  readonly bootedAtMs: () => number;
  readonly engine: ProbeEngine;
  readonly customProbes: CustomProbes;
  readonly probeHost: ProbeHost;
  readonly clock: Clock;
  readonly events: { readonly probeUnavailable: Unavailable };
}

/** What a probe is for the engine in this session; undefined: it cannot be, which `events` is told. Never rejects. */
export async function prepareProbe(
  probe: ProbeSpec,
  setting: ProbeSetting,
): Promise<Registration | undefined> {
  try {
    const { vm, clock, bootedAtMs } = setting;
    const prepared = await checkOf(probe, setting);
    const elapsedMs = Math.max(0, clock.now() - bootedAtMs());
    const initialDelayMs = Math.max(0, probe.timing.initialDelayMs - elapsedMs);
    const id = `${vm.id}/${probe.name}`;
    const timing = { ...probe.timing, initialDelayMs };
    const target = { id, check: prepared.check, timing, startState: startState(probe.role) };
    return { probe, target, external: prepared.external };
  } catch (error) {
    setting.events.probeUnavailable(probe.name, errorMessage(error));
    return undefined;
  }
}

/** Gives them to the engine, in one call; one that it refuses is left out, alone, and told. */
export function addProbes(
  engine: ProbeEngine,
  ready: readonly Registration[],
  unavailable: Unavailable,
): (readonly [Registration, handle: number])[] {
  try {
    const handles = engine.add(ready.map(({ target }) => target));
    return [...handles].flatMap((handle, i) => {
      const one = ready[i];
      return one === undefined ? [] : [[one, handle] as const];
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const [one, another] = ready;
    if (another !== undefined) return ready.flatMap((each) => addProbes(engine, [each], unavailable));
    if (one !== undefined) unavailable(one.probe.name, error.message);
    return [];
  }
}

async function checkOf(
  { name, check, timing }: ProbeSpec,
  { vm, session, customProbes, clock, engine, probeHost }: ProbeSetting,
): Promise<PreparedCheck> {
  if (check.kind === 'custom')
    return { check: { kind: 'external' }, external: openCustomProbe(customProbes, vm, check) };
  return prepareCheck(check, {
    address: vm.address,
    channels: { monitor: session.monitor?.handle, agent: session.agent?.handle },
    process:
      session.pidfd === undefined ? session.process : { pidfd: session.pidfd, pid: session.process.pid },
    readFile: (path) => readFile(path, 'utf8'),
    setting: {
      vm,
      probe: name,
      timing,
      clock,
      consoleLog: session.consoleLog,
      vcpus: session.vcpus?.bind(session),
      ...(session.monitor === undefined ? { runState: session.status.bind(session) } : {}),
      guest: guestOf(session),
      ...probeHost,
    },
    engine,
  });
}

/** What of the guest can be asked through this session. */
function guestOf(session: VmmSession): GuestAccess | undefined {
  const ping = session.pingAgent?.bind(session);
  if (session.agent === undefined && ping === undefined) return undefined;
  return {
    ...given({ ping }),
    exec: (argv, options) => session.exec(argv, options),
    async resources(options) {
      if (session.resources !== undefined) return session.resources(options);
      throw new VmpulseError(
        'ERR_VMPULSE_UNSUPPORTED',
        'this hypervisor cannot ask its guests for resources',
      );
    },
  };
}

/** The engine takes no such target, as distinct from an engine that takes none at all. */
function isRefusal(error: unknown): error is VmpulseError {
  return isVmpulseError(error, 'ERR_VMPULSE_UNSUPPORTED') || isVmpulseError(error, 'ERR_VMPULSE_ARGUMENT');
}
