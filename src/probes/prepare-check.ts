import { isIP } from 'node:net';
import type { ProbeEngine, TargetCheck } from '../engine/probe-engine.js';
import type { ExternalProbe, ExternalSetting } from './external.js';
import { hostCaPem } from './host-ca.js';
import { NamedHostProbe } from './named-host.js';
import type { DocumentCheck, LowerContext } from './probe-kind.js';
import { PROBE_KINDS } from './registry.js';

/** What a check is prepared with: the VM's side, and what looks things up. */
export interface PrepareOptions {
  /** The VM's address. */
  readonly address?: string | undefined;
  readonly channels?: LowerContext['channels'];
  readonly process?: LowerContext['process'];
  /** Reads a CA file as text; its errors reach the caller. */
  readonly readFile: (path: string) => Promise<string>;
  readonly setting: ExternalSetting;
  /** Probes hosts that are given by name, address by address. */
  readonly engine: Pick<ProbeEngine, 'probeOnce'>;
}

/** A check that the engine can run, or only schedule: `external` then does the looking. */
export interface PreparedCheck {
  readonly check: TargetCheck;
  readonly external?: ExternalProbe;
}

const EXTERNAL: TargetCheck = { kind: 'external' };

/** Does a check's look-ups and lowers it. Throws ERR_VMPULSE_ARGUMENT when the VM's side lacks what the kind needs. */
export async function prepareCheck(check: DocumentCheck, options: PrepareOptions): Promise<PreparedCheck> {
  const kind = PROBE_KINDS[check.kind];
  const external = kind.open(check, options.setting);
  if (external !== undefined) return { check: EXTERNAL, external };
  const { host, caFile, hostCa } = kind.lookups(check);
  const caPem =
    caFile !== undefined
      ? await options.readFile(caFile)
      : hostCa
        ? await hostCaPem(options.readFile)
        : undefined;
  const { channels, process, engine, setting } = options;
  const lower = (address: string | undefined) => kind.lower(check, { address, caPem, channels, process });
  if (host === undefined || isIP(host) !== 0) return { check: lower(host ?? options.address) };
  const { resolveHost, debug = false } = setting;
  return { check: EXTERNAL, external: new NamedHostProbe({ host, resolveHost, engine, lower, debug }) };
}
