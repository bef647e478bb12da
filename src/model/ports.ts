import type { LadderStep } from './action.js';
import type { GuestCommandOptions, GuestCommandResult, GuestResources, ToldAddress } from './guest.js';
import type { JournalPage, JournalQuery } from './journal-query.js';
import type { LinkFault } from './link.js';
import type { Machine } from './machine.js';
import type { VcpuReading } from './vcpu.js';
import type { ProcessIdentity, VmId, VmSpec } from './vm.js';

/** What happened to a VMM or its guest, in the words of no particular hypervisor. */
export type VmmEvent =
  | { readonly type: 'exited' }
  /** The kernel ended processes for want of memory about when the VMM ended. Comes before `exited`. */
  | { readonly type: 'oom-killed' }
  | { readonly type: 'panicked'; readonly action: string }
  | { readonly type: 'crash-loaded' }
  | { readonly type: 'watchdog'; readonly action: string }
  /** The guest began a new boot. `guest`: it did so by itself. Debounced: one event a burst. */
  | { readonly type: 'reset'; readonly guest: boolean; readonly reason: string }
  | { readonly type: 'shutdown'; readonly guest: boolean; readonly reason: string }
  | { readonly type: 'powerdown' }
  | { readonly type: 'paused' }
  /** The run state, asked after something changed, as the hypervisor names it. */
  | { readonly type: 'run-state'; readonly status: string }
  /** The guest is being moved or saved while it runs (`active`), or that is over. */
  | { readonly type: 'migration'; readonly active: boolean; readonly status: string }
  | { readonly type: 'resumed' }
  | { readonly type: 'io-error'; readonly device: string; readonly noSpace: boolean }
  /** The host's side of its network is not as it should be; `fault` null: it is again. */
  | { readonly type: 'link'; readonly fault: LinkFault | null; readonly text: string }
  /**
   * The management socket: back, lost, held by another client, or served by something that is no monitor. `why`: what
   * was seen, for a person; unset when connected.
   */
  | {
      readonly type: 'monitor';
      readonly state: 'connected' | 'lost' | 'busy' | 'foreign';
      readonly why?: string;
    };

/** What a look at a VM found, without changing anything. */
export type Look =
  | { readonly running: false; readonly leftovers: readonly string[] }
  | { readonly running: true; readonly process: ProcessIdentity; readonly startedAtMs: number };

/** Evidence saved before a guest is ended. */
export interface CapturedEvidence {
  readonly consoleTail: string;
  readonly status: string;
  readonly files: readonly string[];
}

export interface CallOptions {
  /** The call ends within this many milliseconds, counted from the call. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** How much memory a VM is to have, or (`relative`) how much more. */
export interface MemoryChange {
  readonly mib: number;
  readonly relative: boolean;
}

/** A management socket in the engine; probes of the VM are requests on it, by its handle. */
export interface ChannelRef {
  readonly handle: number;
  readonly connected: boolean;
}

/** A total that only the guest itself makes grow: requests to a disk, packets that it sent, bytes on its console. */
export interface GuestCounter {
  /** For example `disk vda`, `network tap0`, `console`. */
  readonly name: string;
  readonly value: number;
}

/** An open attachment to one running VMM: it owns the monitor, the agent channel and the pidfd. */
export interface VmmSession {
  readonly process: ProcessIdentity;
  readonly startedAtMs: number;
  /** VmSpec.machineDigest that the VMM was started with; unset where nobody knows (adopted, record lost). */
  readonly machineDigest?: string;
  /** What that digest is of, so that it can be said what differs; unset where nobody knows. */
  readonly machine?: Machine;
  /** Owned by the session; whoever watches it duplicates it. Unset: the host cannot give one. */
  readonly pidfd?: number | undefined;
  /** Unset: the driver opens none. */
  readonly monitor?: ChannelRef;
  /** Unset: the VM has no agent channel. */
  readonly agent?: ChannelRef;
  /** How long after the end of the process its last words may take, ms; unset: they come at once. */
  readonly lastWordsMs?: number;
  /** File that the serial console is written to; unset where nobody knows it (adopted). */
  readonly consoleLog?: string;
  /** Unix socket of the serial console, for one client at a time; unset where it has none. */
  readonly consoleSocket?: string;
  /** One listener, called in order from the engine's delivery turn; events that came before it are kept (bounded). */
  onEvent(listener: (event: VmmEvent, atMs: number) => void): void;
  /** Run state as the hypervisor names it, for example `running`, `paused`, `guest-panicked`. */
  status(options: CallOptions): Promise<string>;
  reset(options: CallOptions): Promise<void>;
  /** ACPI power button, then the VMM stays or ends; a reboot is asked through the agent where it answers. */
  reboot(options: CallOptions): Promise<void>;
  /** What the guest did so far; what cannot be read is left out. Unset: the driver has no such counters. */
  counters?(options: CallOptions): Promise<readonly GuestCounter[]>;
  /**
   * How far the vCPUs have come, from the best source that there is; undefined: there is none now. Unset: the driver
   * cannot tell.
   */
  vcpus?(options: CallOptions): Promise<VcpuReading | undefined>;
  pause(options: CallOptions): Promise<void>;
  /**
   * Saves the whole VM under a name where its driver keeps such states, and lets the guest run on; resolves with where.
   * One that is there already is taken for it. Unset: the driver cannot.
   */
  snapshot?(options: CallOptions & { readonly name: string }): Promise<readonly string[]>;
  resume(options: CallOptions): Promise<void>;
  /** SIGCONT; resolves once the process is out of the state T. */
  continueProcess(options: CallOptions): Promise<void>;
  /** Graceful: ACPI and wait, then quit; force: SIGKILL by pidfd. Resolves once the process is confirmed dead. */
  stop(mode: 'graceful' | 'force', options: CallOptions): Promise<void>;
  /** Runs argv in the guest through its agent; output bounded. */
  exec(argv: readonly string[], options: GuestCommandOptions): Promise<GuestCommandResult>;
  /** Gives the running VM more memory; resolves with what it then has, MiB. Unset: the driver cannot. */
  resizeMemory?(change: MemoryChange, options: CallOptions): Promise<number>;
  /** What the guest has used up, by its own account. Unset: it cannot be asked. */
  resources?(options: CallOptions): Promise<GuestResources>;
  /** Where the guest says that it is reached. Untrusted. Unset: it cannot be asked. */
  addresses?(options: CallOptions): Promise<readonly ToldAddress[]>;
  /**
   * What the guest says its system is, as os-release's ID, for example `debian`; undefined: it has no name. Untrusted.
   * Unset: it cannot be asked.
   */
  osId?(options: CallOptions): Promise<string | undefined>;
  /** Resolves when the guest agent answers. Unset: it is asked through `agent`, or there is none. */
  pingAgent?(options: CallOptions): Promise<void>;
  /** Saves what may explain the failure, best effort; `label` (an action's id) names the folder. Never throws for a hung VMM. */
  capture(options: CallOptions & { readonly label: string }): Promise<CapturedEvidence>;
  /** Closes channels and pidfd; the VMM runs on. Idempotent. */
  detach(): Promise<void>;
}

/** A hypervisor behind one port. Every call has a hard deadline. */
export interface Driver<Session extends VmmSession = VmmSession> {
  readonly name: string;
  /** Ladder steps that this driver can carry out for this VM; others are skipped by the ladder. */
  supports(vm: VmSpec, step: LadderStep): boolean;
  look(vm: VmSpec, options: CallOptions): Promise<Look>;
  /** Opens the attachment to the running VMM that `look` found. */
  attach(vm: VmSpec, process: ProcessIdentity, options: CallOptions): Promise<Session>;
  /**
   * Proves that a start will be possible, now or after the running VMM has ended; changes nothing. Throws
   * ERR_VMPULSE_START_IMPOSSIBLE naming everything that is missing, or ERR_VMPULSE_DISK_IN_USE.
   */
  proveStart(vm: VmSpec, options: CallOptions): Promise<void>;
  /** Starts the VMM (the guest then boots by itself) and resolves with its process once the monitor answers. */
  start(vm: VmSpec, options: CallOptions): Promise<ProcessIdentity>;
}

/** What drivers and recoveries ask of the network of the host. */
export interface NetworkPort {
  /** What keeps the VM's devices from being made before a start, each for a person; changes nothing. */
  startProblems(vm: VmSpec): Promise<readonly string[]>;
  /**
   * Makes the devices that vmpulse keeps as the VM's document says, before its VMM attaches to them. Throws
   * ERR_VMPULSE_NETWORK, ERR_VMPULSE_SYSCALL, or ERR_VMPULSE_NATIVE without the kernel addon.
   */
  prepare(vm: VmSpec): Promise<void>;
  /**
   * Puts right what is wrong with those devices; where nothing is, takes them down and up, and puts them on their
   * bridges anew. Applies the rules where others have changed them. Says what it did. Throws as `prepare`.
   */
  reset(vm: VmSpec, options: CallOptions): Promise<readonly string[]>;
}

/** What drivers ask of whoever makes disks. */
export interface StoragePort {
  /** Makes those disks of the VM that vmpulse makes and that are missing or old. Throws ERR_VMPULSE_STORAGE. */
  prepare(vm: VmSpec, options: CallOptions): Promise<void>;
}

/** One line of the journal. */
export interface JournalEntry {
  readonly atMs: number;
  readonly vm: VmId | null;
  readonly type:
    | 'transition'
    | 'health'
    | 'decision'
    | 'action-start'
    | 'action-end'
    | 'vmm-event'
    | 'operator'
    /** What the policy was told beside that, so that it can be told again: `data.event`. */
    | 'input'
    | 'daemon';
  /** Groups what belongs to one action or episode. */
  readonly actionId: string | null;
  /** One sentence for a person. */
  readonly text: string;
  /** Plain JSON. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StoredJournalEntry extends JournalEntry {
  readonly seq: number;
}

export interface AppendOptions extends CallOptions {
  /** Nobody waits for these entries: they may be written some tenths of a second later, or with the next that are not. */
  readonly lazy?: boolean;
}

/**
 * Durable record of what happened and why. `append` resolves once the entry is on disk; calls that overlap are written in
 * their order.
 */
export interface Journal {
  append(entries: readonly JournalEntry[], options: AppendOptions): Promise<void>;
  /** In the order in which they were written: the entries after `afterSeq`, or without it the newest; oldest first. */
  read(query: { afterSeq?: number; limit: number }): Promise<readonly StoredJournalEntry[]>;
  /** By VM, type, class and time. Rejects with ERR_VMPULSE_ARGUMENT for a cursor that no page gave. */
  query(query: JournalQuery): Promise<JournalPage>;
  /** Everything about these actions (at most 1000), oldest first. */
  ofActions(ids: readonly string[]): Promise<readonly StoredJournalEntry[]>;
  /** Actions with a durable start and no end: a daemon died in between. */
  unfinished(): Promise<readonly StoredJournalEntry[]>;
  /** Durable values by key (policy and engine snapshots): all are written, `null` removes one, or none is. */
  saveState(values: ReadonlyMap<string, string | null>, options: CallOptions): Promise<void>;
  /** Every value whose key begins with `prefix`. */
  loadState(prefix: string): Promise<ReadonlyMap<string, string>>;
  close(): Promise<void>;
}
