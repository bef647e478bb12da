//! An exchange on a plain stream or within TLS.

use super::layer::{Tls, TlsSetup};
use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::reason::Reason;

/// An exchange with what carries it.
#[derive(Debug)]
pub enum Wire<E> {
    Plain(E),
    Secure(Box<Tls<E>>),
}

impl<E: Exchange> Wire<E> {
    /// Begins on a fresh stream; `None`: not encrypted. Fails only when the system gives no random numbers.
    pub(crate) fn over(
        setup: Option<TlsSetup<'_>>,
        exchange: E,
    ) -> Result<Self, Box<ExchangeResult>> {
        let Some(setup) = setup else {
            return Ok(Self::Plain(exchange));
        };
        Ok(Self::Secure(Box::new(Tls::open(setup, exchange)?)))
    }

    /// The next exchange on the same stream.
    pub(crate) fn next(&mut self, exchange: E) {
        match self {
            Self::Plain(plain) => *plain = exchange,
            Self::Secure(tls) => tls.reopen(exchange),
        }
    }

    fn inner(&mut self) -> &mut dyn Exchange {
        match self {
            Self::Plain(plain) => plain,
            Self::Secure(tls) => &mut **tls,
        }
    }
}

impl<E: Exchange> Exchange for Wire<E> {
    fn pull(&mut self, out: &mut Vec<u8>) {
        self.inner().pull(out);
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> Progress {
        self.inner().on_bytes(bytes)
    }

    fn on_eof(&mut self) -> Progress {
        self.inner().on_eof()
    }

    fn on_abort(&mut self, reason: Reason) -> ExchangeResult {
        self.inner().on_abort(reason)
    }

    fn fail(&mut self, reason: Reason, message: String) -> ExchangeResult {
        self.inner().fail(reason, message)
    }

    fn note(&mut self, text: &str) {
        self.inner().note(text);
    }

    fn timeout_reason(&self) -> Reason {
        match self {
            Self::Plain(plain) => plain.timeout_reason(),
            Self::Secure(tls) => tls.timeout_reason(),
        }
    }
}
