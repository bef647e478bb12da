//! Why a probe did not say "ok": the closed list of stable codes, each in one class.
//!
//! `src/model/reasons.ts` holds the same list in the same order; a test compares them.

/// What a report groups reasons by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Timeout,
    Refused,
    Unreachable,
    Tls,
    Auth,
    InvalidResponse,
    Agent,
    Hypervisor,
    Gone,
    Stalled,
    Threshold,
    Inconclusive,
}

impl Class {
    /// The stable code, for example `invalid-response`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::InvalidResponse => "invalid-response",
            Self::Agent => "agent",
            Self::Hypervisor => "hypervisor",
            Self::Gone => "gone",
            Self::Stalled => "stalled",
            Self::Threshold => "threshold",
            Self::Inconclusive => "inconclusive",
        }
    }
}

macro_rules! reasons {
    ($($variant:ident $code:literal $class:ident,)+) => {
        /// A stable reason. The discriminant is its place in the list and fits a byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $(#[doc = concat!("`", $code, "`")] $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable code, for example `connection-refused`.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// The class the reason belongs to.
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)+
                }
            }
        }
    };
}

reasons! {
    ConnectTimeout "connect-timeout" Timeout,
    ResponseTimeout "response-timeout" Timeout,
    TlsTimeout "tls-timeout" Timeout,
    ConnectionRefused "connection-refused" Refused,
    ConnectionReset "connection-reset" Refused,
    ConnectionClosed "connection-closed" Refused,
    HostUnreachable "host-unreachable" Unreachable,
    NetworkUnreachable "network-unreachable" Unreachable,
    NoReply "no-reply" Unreachable,
    DnsFailure "dns-failure" Unreachable,
    HandshakeFailed "handshake-failed" Tls,
    CertificateExpired "certificate-expired" Tls,
    CertificateUntrusted "certificate-untrusted" Tls,
    NameMismatch "name-mismatch" Tls,
    AuthenticationFailed "authentication-failed" Auth,
    BadStatus "bad-status" InvalidResponse,
    BadHeader "bad-header" InvalidResponse,
    BadBody "bad-body" InvalidResponse,
    ProtocolError "protocol-error" InvalidResponse,
    ResponseTooLarge "response-too-large" InvalidResponse,
    AgentNotConnected "agent-not-connected" Agent,
    AgentError "agent-error" Agent,
    ExecNonzero "exec-nonzero" Agent,
    ApiUnreachable "api-unreachable" Hypervisor,
    ApiError "api-error" Hypervisor,
    VmNotRunning "vm-not-running" Hypervisor,
    GuestPanicked "guest-panicked" Hypervisor,
    IoError "io-error" Hypervisor,
    ProcessGone "process-gone" Gone,
    ProcessStopped "process-stopped" Gone,
    DeviceMissing "device-missing" Gone,
    VcpuStalled "vcpu-stalled" Stalled,
    TapFrozen "tap-frozen" Stalled,
    ConsoleSilent "console-silent" Stalled,
    Cpu "cpu" Threshold,
    Memory "memory" Threshold,
    Disk "disk" Threshold,
    IoWait "io-wait" Threshold,
    Latency "latency" Threshold,
    PacketLoss "packet-loss" Threshold,
    ProberLate "prober-late" Inconclusive,
    ProberResources "prober-resources" Inconclusive,
    NoLocalRoute "no-local-route" Inconclusive,
    ChannelBusy "channel-busy" Inconclusive,
    Suspended "suspended" Inconclusive,
    IdentityMismatch "identity-mismatch" Inconclusive,
    Cancelled "cancelled" Inconclusive,
    ProberFault "prober-fault" Inconclusive,
}

impl Reason {
    /// The reason of a code, or `None` for an unknown code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == code)
    }

    /// The reason at a place in [`Reason::ALL`].
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }

    /// True for "could not probe": such a reason never moves a threshold.
    pub fn is_inconclusive(self) -> bool {
        self.class() == Class::Inconclusive
    }
}

/// What one probe said. Only `Ok` and `Failed` move thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Ok,
    Failed(Reason),
    Inconclusive(Reason),
}

impl Outcome {
    /// The not-ok outcome of a reason; its class decides between failed and inconclusive, so that the two never mix.
    pub fn of(reason: Reason) -> Self {
        if reason.is_inconclusive() {
            Self::Inconclusive(reason)
        } else {
            Self::Failed(reason)
        }
    }

    /// The reason, or `None` when ok.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Ok => None,
            Self::Failed(reason) | Self::Inconclusive(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_kebab_case_and_round_trip() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert_eq!(Reason::ALL.len(), 48);
        for (index, &reason) in Reason::ALL.iter().enumerate() {
            assert!(
                reason
                    .code()
                    .bytes()
                    .all(|byte| byte == b'-' || byte.is_ascii_lowercase())
            );
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert_eq!(
                Reason::from_index(u8::try_from(index).unwrap()),
                Some(reason)
            );
            assert_eq!(reason as usize, index);
        }
        assert_eq!(Reason::from_code("no-such"), None);
        assert_eq!(Reason::from_index(u8::MAX), None);
    }

    #[test]
    fn the_class_decides_the_kind_of_outcome() {
        assert_eq!(
            Outcome::of(Reason::BadStatus),
            Outcome::Failed(Reason::BadStatus)
        );
        assert_eq!(
            Outcome::of(Reason::Suspended),
            Outcome::Inconclusive(Reason::Suspended)
        );
        assert_eq!(Outcome::Ok.reason(), None);
        assert_eq!(Outcome::of(Reason::Cpu).reason(), Some(Reason::Cpu));
    }

    /// The TypeScript model is the same table: same codes, same classes, same order.
    #[test]
    fn the_typescript_table_is_the_same() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../src/model/reasons.ts");
        let text = std::fs::read_to_string(path).expect("src/model/reasons.ts is readable");
        let table = text.split_once("REASON_CLASS = {").expect("the table").1;
        let table = table.split_once('}').expect("the end of the table").0;
        let theirs: Vec<(String, String)> = table
            .lines()
            .filter_map(|line| line.trim().trim_end_matches(',').split_once(": "))
            .map(|(code, class)| {
                (
                    code.trim_matches('\'').to_owned(),
                    class.trim_matches('\'').to_owned(),
                )
            })
            .collect();
        let ours: Vec<(String, String)> = Reason::ALL
            .iter()
            .map(|reason| (reason.code().to_owned(), reason.class().code().to_owned()))
            .collect();
        assert_eq!(ours, theirs);
    }
}
