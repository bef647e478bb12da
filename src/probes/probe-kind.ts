import type { z } from 'zod';
import type { ChannelOptions, TargetCheck } from '../engine/probe-engine.js';
import { VmpulseError } from '../model/errors.js';
import type { DocumentKind, ProbeCheck } from '../model/probe.js';
import type { ExternalProbe, ExternalSetting } from './external.js';

/** A check of a kind that documents and the command line know. */
export type DocumentCheck = Extract<ProbeCheck, { kind: DocumentKind }>;

/** What a check is lowered with. Everything outside has been looked up before (see `CheckLookups`). */
export interface LowerContext {
  /** IP address to connect to: that of the check's own host where it names one, else that of the VM. */
  readonly address?: string | undefined;
  /** Contents of the check's CA file. */
  readonly caPem?: string | undefined;
  /** Handles of the VM's open channels. */
  readonly channels?:
    | { readonly monitor?: number | undefined; readonly agent?: number | undefined }
    | undefined;
  /** The VMM; the caller owns the pidfd. Where there is none, the start time proves who it is. */
  readonly process?:
    | { readonly pidfd: number; readonly pid: number }
    | { readonly pid: number; readonly startTimeTicks: number }
    | undefined;
}

/** What must be looked up before a check can be lowered. */
export interface CheckLookups {
  /** A host of its own, IP literal or DNS name. */
  readonly host?: string;
  /** The check connects to the VM's address. */
  readonly vmAddress?: true;
  /** PEM file to be read. */
  readonly caFile?: string;
  /** The certificates that the host trusts are needed. */
  readonly hostCa?: true;
  readonly channel?: 'monitor' | 'agent';
  readonly process?: true;
  /** The log of the VM's serial console must be known. */
  readonly consoleLog?: true;
}

/** A target of `vmpulse probe`: what to ask, and what has to be opened for it. */
export interface ProbeTarget {
  readonly check: DocumentCheck;
  /** Socket to be opened as a channel of that protocol. */
  readonly channel?: {
    readonly protocol: Exclude<ChannelOptions['protocol'], 'cloud-hypervisor-events'>;
    readonly path: string;
    /** As of ChannelOptions. */
    readonly vsockPort?: number;
  };
  /** The process to be watched, by PID or by a file that holds it. */
  readonly process?: { readonly pid: number } | { readonly pidFile: string };
}

/** A TCP port that a check asks of the VM's own address. */
interface GuestPort<C> {
  readonly port: number;
  /** The same check asked of another place, such as the host's end of a forwarded port. */
  readonly askedAt: (place: { readonly host: string; readonly port: number }) => C;
}

/** How one kind of probe is written, run and named. */
interface CommonDefinition<C extends DocumentCheck> {
  readonly kind: C['kind'];
  /** Short names on the command line. */
  readonly aliases: readonly string[];
  /** One line for help. */
  readonly summary: string;
  /** What TARGET is on the command line, for help and messages. */
  readonly targetHelp: string;
  /** Evidence beside other probes, which decides nothing alone: it has no Kubernetes role and is never critical. */
  readonly evidenceOnly?: true;
  /** The options as a document writes them. */
  readonly schema: z.ZodType<C>;
  /** `name` is the kind or alias that was typed. Throws ERR_VMPULSE_USAGE. */
  readonly parseTarget: (text: string, name: string) => ProbeTarget;
  readonly lookups: (check: C) => CheckLookups;
  /**
   * Of a check that connects to the VM's address (`lookups` says so): the port, so that a VM without an address can be
   * probed through a forward of it. Left out by kinds that no forwarded port can carry.
   */
  readonly guestPort?: (check: C) => GuestPort<C> | undefined;
  /** For a person, for example `TCP connect to 192.0.2.10:22`. */
  readonly label: (check: C) => string;
}

/** A kind that the engine runs. */
interface EngineDefinition<C extends DocumentCheck> extends CommonDefinition<C> {
  readonly lower: (check: C, context: LowerContext) => TargetCheck;
  /** For VMs that can be asked only by their driver, and not over a channel of the engine; undefined: it can. */
  readonly open?: (check: C, setting: ExternalSetting) => ExternalProbe | undefined;
}

/** A kind that runs outside the engine, which then only schedules and counts. */
interface ExternalDefinition<C extends DocumentCheck> extends CommonDefinition<C> {
  readonly open: (check: C, setting: ExternalSetting) => ExternalProbe;
}

export type KindDefinition<C extends DocumentCheck> = EngineDefinition<C> | ExternalDefinition<C>;

/** A kind in the registry: its definition, taking any check and refusing those of another kind. */
export interface KindEntry {
  readonly kind: DocumentKind;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly targetHelp: string;
  readonly evidenceOnly: boolean;
  readonly schema: z.ZodType<ProbeCheck>;
  parseTarget(text: string, name: string): ProbeTarget;
  lookups(check: ProbeCheck): CheckLookups;
  guestPort(check: ProbeCheck): GuestPort<ProbeCheck> | undefined;
  /** Throws ERR_VMPULSE_INTERNAL for a kind that runs outside the engine. */
  lower(check: ProbeCheck, context: LowerContext): TargetCheck;
  /** The probe of a kind that runs outside the engine for this VM; undefined for others. */
  open(check: ProbeCheck, setting: ExternalSetting): ExternalProbe | undefined;
  label(check: ProbeCheck): string;
}

/** Makes a definition fit the registry. */
export function defineKind<C extends DocumentCheck>(definition: KindDefinition<C>): KindEntry {
  const isOwn = (check: ProbeCheck): check is C => check.kind === definition.kind;
  const own = (check: ProbeCheck): C => {
    if (isOwn(check)) return check;
    throw new VmpulseError(
      'ERR_VMPULSE_INTERNAL',
      `a check of kind ${check.kind} was given to the kind ${definition.kind}`,
    );
  };
  return {
    kind: definition.kind,
    aliases: definition.aliases,
    summary: definition.summary,
    targetHelp: definition.targetHelp,
    evidenceOnly: definition.evidenceOnly ?? false,
    schema: definition.schema,
    parseTarget: definition.parseTarget,
    lookups: (check) => definition.lookups(own(check)),
    guestPort: (check) => definition.guestPort?.(own(check)),
    lower: (check, context) => {
      if ('lower' in definition) return definition.lower(own(check), context);
      throw new VmpulseError('ERR_VMPULSE_INTERNAL', `${definition.kind} runs outside the engine`);
    },
    open: (check, setting) => definition.open?.(own(check), setting),
    label: (check) => definition.label(own(check)),
  };
}

/** A context without what the kind needs is the caller's mistake. */
export function missingContext(kind: DocumentKind, what: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ARGUMENT', `a ${kind} probe cannot be lowered without ${what}`);
}
