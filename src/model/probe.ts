import type { ProbeState } from './outcome.js';

/** What a probe is for. Semantics are the kubelet's; `check` is an extra probe that has no Kubernetes role. */
export type ProbeRole = 'startup' | 'liveness' | 'readiness' | 'check';

/** When and how often a probe runs, and what it takes to change its state. Milliseconds and counts. */
export interface ProbeTiming {
  /** Delay after the start of each instance, default 0. */
  readonly initialDelayMs: number;
  /** Default 10000, at least 50. */
  readonly periodMs: number;
  /** Default 1000, less than the period. */
  readonly timeoutMs: number;
  /** Consecutive oks from failed to ok, default 1; 1 for liveness and startup. */
  readonly successThreshold: number;
  /** Consecutive failures from ok to failed, default 3. */
  readonly failureThreshold: number;
  /** Period while a failure is being confirmed; default the period. */
  readonly retryPeriodMs?: number;
  /** Period while failed; default the period. */
  readonly downPeriodMs?: number;
}

/** HTTP probe options (PROBES: httpGet). */
export interface HttpGetOptions {
  readonly scheme: 'http' | 'https';
  /** Address to connect to; default the VM's address. */
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  /** User headers; an empty value removes a default header. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly unixSocket?: string;
  readonly keepAlive?: boolean;
  /** Verify the certificate (CA, name); default false. */
  readonly verify?: boolean;
  /** PEM bundle used with `verify`; default the host's. */
  readonly caFile?: string;
  readonly certificateExpiresWithinDays?: number;
  readonly expect?: {
    /** Accepted statuses as inclusive ranges; default 200–399. */
    readonly status?: readonly (readonly [from: number, to: number])[];
    readonly bodyContains?: string;
    readonly bodyRegex?: string;
    readonly headers?: readonly (readonly [name: string, value: string])[];
  };
  /** A larger body fails with response-too-large; unset: the rest is dropped without failing. */
  readonly maxBodyBytes?: number;
}

/** TLS of a conversation that is not HTTP. */
export interface StreamTls {
  /** Name for SNI and verification; default the host that is connected to. */
  readonly serverName?: string;
  /** Verify the certificate (CA, name); default false. */
  readonly verify?: boolean;
  /** PEM bundle used with `verify`; default the host's. */
  readonly caFile?: string;
  readonly certificateExpiresWithinDays?: number;
}

/** One step of a conversation. Texts are bytes in hex. */
export type ExchangeStep =
  | { readonly send: string }
  /** May stand anywhere behind the last match. */
  | { readonly expect: string }
  /** Linear time, over bytes; begins where the last match ended. */
  | { readonly expectRegex: string }
  | { readonly startTls: true };

/** What to say and what to wait for. */
export interface ExchangeScript {
  readonly steps: readonly ExchangeStep[];
  /** Encrypted from the start, or from the step `startTls` on. */
  readonly tls?: StreamTls;
  /** Longer replies, in all, fail with response-too-large; default 10240. */
  readonly maxBytes?: number;
}

/** A health check of gRPC (`grpc.health.v1.Health/Check`). */
export interface GrpcCheck {
  /** Default empty: the server as a whole. */
  readonly service?: string;
  /** Value of `:authority`; default the host, with the port where there is one. */
  readonly authority?: string;
  readonly tls?: StreamTls;
}

/** Where a conversation is held: an address and port, or a Unix socket. */
export interface StreamPlace {
  /** Address to connect to; default the VM's address. */
  readonly host?: string;
  readonly port?: number;
  readonly unixSocket?: string;
}

/** A port of the guest that is reached by vsock: one of `cid` and `socket`. Nothing to say: the connection is the answer. */
export interface VsockOptions {
  /** AF_VSOCK. */
  readonly cid?: number;
  /** Unix socket of the hypervisor (Cloud Hypervisor, Firecracker). */
  readonly socket?: string;
  readonly port: number;
  readonly exchange?: ExchangeScript;
  readonly http?: HttpGetOptions;
  readonly grpc?: GrpcCheck;
}

/** A program of the host whose exit status is the verdict. */
export interface CommandOptions {
  /** Absolute path of the program and its arguments; no shell. */
  readonly argv: readonly string[];
  /** Default: nobody where vmpulse is root, else whoever it is. */
  readonly user?: string;
  /** Default `/`. */
  readonly cwd?: string;
  /** Nothing of vmpulse's own environment is passed on. */
  readonly env: readonly (readonly [name: string, value: string])[];
}

/** What the log of a serial console must show. Patterns are of RE2 and matched line by line. */
export interface ConsoleOptions {
  /** Default: the VM's own, where vmpulse started it. */
  readonly file?: string;
  readonly seen?: string;
  readonly notSeen?: string;
  /** How long a match counts; default: as long as the boot lasts. */
  readonly windowMs?: number;
  readonly silentAfterMs?: number;
}

/** Options of a ping. */
export interface PingOptions {
  /** Echos of one probe, 1 to 20. */
  readonly count: number;
  /** Bytes after the ICMP header, 20 to 9000. */
  readonly payloadBytes: number;
  /** More lost than this fails with packet-loss; unset: one echo that comes back is enough. */
  readonly maxLossPercent?: number;
  /** A mean above this fails with latency, ms; unset: no limit. */
  readonly maxLatencyMs?: number;
}

/** Options of ARP and NDP. */
export interface NeighbourOptions {
  /** Interface or bridge to ask on; unset: the one that the route takes. */
  readonly interface?: string;
  /** Who must have the address; another is inconclusive(identity-mismatch). */
  readonly mac?: string;
}

/** What is asked of an SSH server. Secrets are only named by their files. */
export interface SshOptions {
  /** Default the VM's address. */
  readonly host?: string;
  readonly port: number;
  /** `banner`: it says what it is; `auth`: the user can log in; `shell`: a command of the guest ends with 0. */
  readonly level: 'banner' | 'auth' | 'shell';
  readonly user?: string;
  readonly privateKeyFile?: string;
  readonly passwordFile?: string;
  /** Socket of an SSH agent. */
  readonly agentSocket?: string;
  /** One of these three, where somebody logs in. */
  readonly knownHostsFile?: string;
  /** `SHA256:…`, as ssh-keygen -l shows it. */
  readonly fingerprint?: string;
  readonly hostKey?: 'any';
  readonly command?: string;
  /** Pattern of RE2 that the command's output must match in one of its lines. */
  readonly expectOutput?: string;
}

/** A command of the guest, run through its agent. */
export interface GuestExecOptions {
  readonly command: readonly string[];
  /** Exit codes that are ok. */
  readonly exitCodes: readonly number[];
  /** Pattern of RE2 that one line of its output must match. */
  readonly expectOutput?: string;
}

/** What a guest can use up. `ioWait` and `load` depend on what the guest is for, so they have to be asked for. */
export const RESOURCES = ['disk', 'inodes', 'memory', 'cpu', 'ioWait', 'load'] as const;
export type Resource = (typeof RESOURCES)[number];

/** Percent; of the load, tasks a processor. */
export interface ResourceLimits {
  readonly warning: number;
  readonly critical: number;
}

export interface ResourceOptions {
  /** Those that are looked at. */
  readonly checks: readonly Resource[];
  /** Patterns of the file systems that are looked at; unset: all that can be written and are no memory. */
  readonly mounts?: readonly string[];
  readonly limits: Readonly<Record<Resource, ResourceLimits>>;
}

/** What to probe: one member a kind. */
export type ProbeCheck =
  | {
      readonly kind: 'tcpSocket';
      readonly host?: string;
      readonly port: number;
      readonly close?: 'rst' | 'fin';
    }
  | { readonly kind: 'tcpHalfOpen'; readonly host?: string; readonly port: number }
  | ({ readonly kind: 'icmp'; readonly host?: string } & PingOptions)
  | ({ readonly kind: 'arp'; readonly host?: string } & NeighbourOptions)
  | ({ readonly kind: 'ndp'; readonly host?: string } & NeighbourOptions)
  | { readonly kind: 'httpGet'; readonly http: HttpGetOptions }
  | { readonly kind: 'grpc'; readonly grpc: GrpcCheck & StreamPlace }
  | { readonly kind: 'vsock'; readonly vsock: VsockOptions }
  | { readonly kind: 'tcpExchange'; readonly exchange: ExchangeScript & StreamPlace }
  | { readonly kind: 'guestAgentPing' }
  | { readonly kind: 'vmState' }
  | { readonly kind: 'vmmProcess' }
  /** Whether the vCPUs still take interrupts; stalled once they have not for so long. */
  | { readonly kind: 'vcpuProgress'; readonly stalledAfterMs: number }
  | { readonly kind: 'ssh'; readonly ssh: SshOptions }
  | { readonly kind: 'command'; readonly command: CommandOptions }
  | { readonly kind: 'console'; readonly console: ConsoleOptions }
  /** The host's side of the VM's network; `device` unset: all its TAP devices. */
  | { readonly kind: 'tapLink'; readonly device?: string; readonly bridge?: string }
  /** The guest tells by itself that it is well. */
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'exec'; readonly exec: GuestExecOptions }
  | { readonly kind: 'resource'; readonly resource: ResourceOptions }
  /** A probe that the host program brings (`Vmpulse` option `probes`), by its name there; not for documents. */
  | {
      readonly kind: 'custom';
      readonly probe: string;
      readonly options: Readonly<Record<string, unknown>>;
    };

export type ProbeKind = ProbeCheck['kind'];

/** Kinds that a document or the command line can name. */
export type DocumentKind = Exclude<ProbeKind, 'custom'>;

/** One probe of one VM, validated. */
export interface ProbeSpec {
  /** Unique within the VM, for example `readiness` or `liveness`. */
  readonly name: string;
  readonly role: ProbeRole;
  readonly check: ProbeCheck;
  readonly timing: ProbeTiming;
  readonly enabled: boolean;
  /** For the displayed score only; default 1. */
  readonly weight: number;
  /** A failed critical probe makes the VM unhealthy; default: role is liveness. */
  readonly critical: boolean;
}

/** Kubernetes start values: readiness begins failed, liveness ok, startup (and check) unknown. */
export function startState(role: ProbeRole): ProbeState {
  if (role === 'readiness') return 'failed';
  return role === 'liveness' ? 'ok' : 'unknown';
}

/** Kubernetes defaults. */
export const DEFAULT_TIMING: ProbeTiming = {
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 1_000,
  successThreshold: 1,
  failureThreshold: 3,
};
