/**
 * Why a probe did not say "ok": the closed list of stable codes, each in one class. Reports group by class.
 * The Rust engine holds the same list in the same order; a test compares them.
 */
export const REASON_CLASS = {
  'connect-timeout': 'timeout',
  'response-timeout': 'timeout',
  'tls-timeout': 'timeout',
  'connection-refused': 'refused',
  'connection-reset': 'refused',
  'connection-closed': 'refused',
  'host-unreachable': 'unreachable',
  'network-unreachable': 'unreachable',
  'no-reply': 'unreachable',
  'dns-failure': 'unreachable',
  'handshake-failed': 'tls',
  'certificate-expired': 'tls',
  'certificate-untrusted': 'tls',
  'name-mismatch': 'tls',
  'authentication-failed': 'auth',
  'bad-status': 'invalid-response',
  'bad-header': 'invalid-response',
  'bad-body': 'invalid-response',
  'protocol-error': 'invalid-response',
  'response-too-large': 'invalid-response',
  'agent-not-connected': 'agent',
  'agent-error': 'agent',
  'exec-nonzero': 'agent',
  'api-unreachable': 'hypervisor',
  'api-error': 'hypervisor',
  'vm-not-running': 'hypervisor',
  'guest-panicked': 'hypervisor',
  'io-error': 'hypervisor',
  'process-gone': 'gone',
  'process-stopped': 'gone',
  'device-missing': 'gone',
  'vcpu-stalled': 'stalled',
  'tap-frozen': 'stalled',
  'console-silent': 'stalled',
  cpu: 'threshold',
  memory: 'threshold',
  disk: 'threshold',
  'io-wait': 'threshold',
  latency: 'threshold',
  'packet-loss': 'threshold',
  'prober-late': 'inconclusive',
  'prober-resources': 'inconclusive',
  'no-local-route': 'inconclusive',
  'channel-busy': 'inconclusive',
  suspended: 'inconclusive',
  'identity-mismatch': 'inconclusive',
  cancelled: 'inconclusive',
  'prober-fault': 'inconclusive',
} as const;

/** A stable reason code, for example `connection-refused`. */
export type Reason = keyof typeof REASON_CLASS;

/** The class a reason belongs to, for example `refused`. */
export type ReasonClass = (typeof REASON_CLASS)[Reason];

/** Every class, each once. */
export const REASON_CLASSES: readonly ReasonClass[] = [...new Set(Object.values(REASON_CLASS))];

/** Reasons that say "could not probe"; they never move a threshold. */
export type InconclusiveReason = {
  [R in Reason]: (typeof REASON_CLASS)[R] extends 'inconclusive' ? R : never;
}[Reason];

/** Reasons that say "probed, and it is bad". */
export type FailureReason = Exclude<Reason, InconclusiveReason>;

/** Narrows any text to a known reason. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASON_CLASS, text);
}

/** True for reasons of the class `inconclusive`. */
export function isInconclusive(reason: Reason): reason is InconclusiveReason {
  return REASON_CLASS[reason] === 'inconclusive';
}
