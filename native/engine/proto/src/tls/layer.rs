//! The layer itself.

use super::client::TlsClient;
use super::der::validity;
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::reason::Reason;
use crate::text::escape;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection, Error, ProtocolVersion};
use std::io::{ErrorKind, Read, Write};

const SECONDS_A_DAY: i64 = 86_400;
/// Characters of a library error that are shown; a certificate's names appear in some.
const MAX_TEXT: usize = 256;

/// What one connection needs.
pub struct TlsSetup<'a> {
    pub client: &'a TlsClient,
    pub server_name: ServerName<'static>,
    pub now_unix_s: u64,
    pub certificate_expires_within_days: Option<u32>,
    /// The protocol to ask for (ALPN); `None`: none is named.
    pub protocol: Option<&'static [u8]>,
}

/// Runs `E` over an encrypted stream.
#[derive(Debug)]
pub struct Tls<E> {
    connection: ClientConnection,
    inner: E,
    /// Any byte came from the server.
    heard: bool,
    established: bool,
    now_unix_s: i64,
    expires_within_days: Option<u32>,
    not_after: Option<i64>,
    version: Option<&'static str>,
}

impl<E: Exchange> Tls<E> {
    /// Fails, with the reason, only when the system gives no random numbers.
    pub fn open(setup: TlsSetup<'_>, mut inner: E) -> Result<Self, Box<ExchangeResult>> {
        let config = setup.client.config(setup.now_unix_s, setup.protocol);
        let mut connection = match ClientConnection::new(config, setup.server_name) {
            Ok(connection) => connection,
            Err(error) => {
                return Err(Box::new(
                    inner.fail(Reason::ProberResources, describe(&error)),
                ));
            }
        };
        // What is written is one request of a bounded size.
        connection.set_buffer_limit(None);
        Ok(Self {
            connection,
            inner,
            heard: false,
            established: false,
            now_unix_s: i64::try_from(setup.now_unix_s).unwrap_or(i64::MAX),
            expires_within_days: setup.certificate_expires_within_days,
            not_after: None,
            version: None,
        })
    }

    /// The next exchange on the same connection.
    pub fn reopen(&mut self, inner: E) {
        self.inner = inner;
    }

    fn decorate(&self, mut result: ExchangeResult) -> ExchangeResult {
        result.details.tls_version = self.version;
        result.details.certificate_not_after = self.not_after;
        result
    }

    fn pass(&self, progress: Progress) -> Progress {
        match progress {
            Progress::Done(result) => Progress::Done(Box::new(self.decorate(*result))),
            other => other,
        }
    }

    fn done(&mut self, reason: Reason, message: String) -> Progress {
        Progress::Done(Box::new(self.fail(reason, message)))
    }

    /// The handshake is complete: looks at the certificate's dates, and tells the inner exchange. `Some`: decided.
    fn establish(&mut self) -> Option<Progress> {
        self.established = true;
        self.version = self.connection.protocol_version().and_then(version_name);
        let leaf = self
            .connection
            .peer_certificates()
            .and_then(|chain| chain.first());
        self.not_after = leaf
            .and_then(|leaf| validity(leaf))
            .map(|(_, not_after)| not_after);
        self.inner.note(&format!(
            "{}, certificate ends at {} (seconds since 1970)",
            self.version.unwrap_or("TLS"),
            self.not_after
                .map_or("an unknown time".to_owned(), |at| at.to_string())
        ));
        if let Some(refused) = self.refuse_dates() {
            return Some(refused);
        }
        match self.inner.on_secure() {
            Progress::More => None,
            decided => Some(self.pass(decided)),
        }
    }

    fn refuse_dates(&mut self) -> Option<Progress> {
        let days = i64::from(self.expires_within_days?);
        let Some(not_after) = self.not_after else {
            return Some(self.done(
                Reason::CertificateUntrusted,
                "the certificate's dates cannot be read".to_owned(),
            ));
        };
        let left = not_after.saturating_sub(self.now_unix_s);
        if left >= days * SECONDS_A_DAY {
            return None;
        }
        let text = if left < 0 {
            format!("the certificate expired {} days ago", -left / SECONDS_A_DAY)
        } else {
            format!(
                "the certificate expires in {} days, wanted {days}",
                left / SECONDS_A_DAY
            )
        };
        Some(self.done(Reason::CertificateExpired, text))
    }

    /// Hands what is decrypted to the inner exchange. `Some`: it is decided.
    fn deliver(&mut self) -> Option<Progress> {
        let mut plain = [0; 4096];
        loop {
            let progress = match self.connection.reader().read(&mut plain) {
                Ok(0) => self.inner.on_eof(),
                Ok(length) => self.inner.on_bytes(&plain[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => self.inner.on_eof(),
            };
            if !matches!(progress, Progress::More) {
                return Some(self.pass(progress));
            }
        }
    }

    /// Works through the records that were read. `Some`: decided.
    fn step(&mut self) -> Option<Progress> {
        let processed = self.connection.process_new_packets();
        if !self.established && !self.connection.is_handshaking() {
            let decided = self.establish();
            if decided.is_some() {
                return decided;
            }
        }
        // What came before a broken record counts, or the outcome would depend on how the stream was cut.
        let decided = if self.established {
            self.deliver()
        } else {
            None
        };
        decided.or_else(|| processed.err().map(|error| self.on_error(&error)))
    }

    fn on_error(&mut self, error: &Error) -> Progress {
        let reason = match error {
            Error::InvalidCertificate(certificate) => certificate_reason(certificate),
            // TLS 1.3 servers refuse a client only after it has finished.
            Error::AlertReceived(_) => Reason::HandshakeFailed,
            _ if self.established => Reason::ProtocolError,
            _ => Reason::HandshakeFailed,
        };
        self.done(reason, describe(error))
    }
}

impl<E: Exchange> Exchange for Tls<E> {
    fn pull(&mut self, out: &mut Vec<u8>) {
        if self.established {
            let mut plain = Vec::new();
            self.inner.pull(&mut plain);
            // Neither can fail: the buffer has no limit, and a Vec takes everything.
            let _ = self.connection.writer().write_all(&plain);
        }
        while self.connection.wants_write() {
            if self.connection.write_tls(out).is_err() {
                return;
            }
        }
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Progress {
        self.heard = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.connection.read_tls(&mut rest) {
                // Nothing is taken after a close_notify, which `deliver` has reported.
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => {
                    return self.on_error(&Error::General("too much unprocessed data".to_owned()));
                }
            }
            if let Some(progress) = self.step() {
                return progress;
            }
        }
        Progress::More
    }

    fn on_eof(&mut self) -> Progress {
        if self.established {
            // Many servers close without a close_notify; the inner protocol knows whether it is complete.
            let progress = self.inner.on_eof();
            return self.pass(progress);
        }
        if self.heard {
            return self.done(
                Reason::HandshakeFailed,
                "closed by the server within the TLS handshake".to_owned(),
            );
        }
        self.done(
            Reason::ConnectionClosed,
            "closed by the server before any byte of the TLS handshake".to_owned(),
        )
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        if self.established {
            let result = self.inner.on_abort(reason);
            return self.decorate(result);
        }
        self.fail(
            reason,
            format!("{} within the TLS handshake", reason.code()),
        )
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        let result = self.inner.fail(reason, message);
        self.decorate(result)
    }

    fn note(&mut self, text: &str) {
        self.inner.note(text);
    }

    fn timeout_reason(&self) -> Reason {
        if self.established {
            self.inner.timeout_reason()
        } else {
            Reason::TlsTimeout
        }
    }
}

fn certificate_reason(error: &CertificateError) -> Reason {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Reason::CertificateExpired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::NameMismatch
        }
        _ => Reason::CertificateUntrusted,
    }
}

fn describe(error: &Error) -> String {
    format!("TLS: {}", escape(error.to_string().as_bytes(), MAX_TEXT))
}

fn version_name(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}
