//! What is said over a connection, and the conversation that says it.

use crate::endpoint::Endpoint;
use crate::socket::ConnectOptions;
use std::sync::Arc;
use vmpulse_proto::{
    Exchange, ExchangeResult, GrpcConversation, GrpcPlan, HttpConversation, HttpHop, HttpPlan,
    OpenOptions, Outcome, Reason, ScriptConversation, ScriptPlan,
};

/// An HTTP plan and the host it names.
#[derive(Debug)]
pub struct HttpShared {
    pub plan: Arc<HttpPlan>,
    /// Name for `Host` and SNI; `None`: the address.
    pub host: Option<Box<str>>,
    pub keep_alive: bool,
}

/// A script and the host that its TLS names.
#[derive(Debug)]
pub struct ScriptShared {
    pub plan: Arc<ScriptPlan>,
    /// `None`: the address.
    pub host: Option<Box<str>>,
}

/// A health check of gRPC and the host that it names.
#[derive(Debug)]
pub struct GrpcShared {
    pub plan: Arc<GrpcPlan>,
    /// `None`: the address.
    pub host: Option<Box<str>>,
}

/// Shared by all targets that say the same.
#[derive(Clone, Debug)]
pub enum Talk {
    /// The connection is the answer.
    Nothing,
    Http(Arc<HttpShared>),
    Script(Arc<ScriptShared>),
    Grpc(Arc<GrpcShared>),
}

/// A conversation on its stream.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the common one and saves its allocation"
)]
pub enum Conversation {
    Http(HttpConversation),
    Script(Box<ScriptConversation>),
    Grpc(Box<GrpcConversation>),
}

impl Talk {
    /// The first request of HTTP; others have none.
    pub fn first_hop(&self, endpoint: &Endpoint) -> Result<Option<HttpHop>, Reason> {
        let Self::Http(shared) = self else {
            return Ok(None);
        };
        let hop = match &shared.host {
            Some(host) => shared.plan.first_hop(host),
            None => shared.plan.first_hop(&endpoint.host()),
        };
        // The host was tried when the target was registered.
        hop.map(Some).map_err(|_| Reason::ProtocolError)
    }

    /// What a connection for it needs.
    pub fn connect_options(&self, hop: Option<&HttpHop>) -> ConnectOptions {
        let speaks_first = match self {
            Self::Nothing | Self::Http(_) | Self::Grpc(_) => true,
            Self::Script(shared) => shared.plan.speaks_first(),
        };
        ConnectOptions {
            reset: true,
            late_ack: speaks_first,
            no_delay: hop.is_none_or(HttpHop::is_tls),
        }
    }

    /// Begins it on a stream that stands; `Err`: it is decided already.
    pub fn open(
        &self,
        endpoint: &Endpoint,
        hop: Option<HttpHop>,
        options: OpenOptions,
    ) -> Result<Conversation, Box<ExchangeResult>> {
        let host = |given: &Option<Box<str>>| match given {
            Some(host) => host.to_string(),
            None => endpoint.host(),
        };
        match (self, hop) {
            (Self::Http(shared), Some(hop)) => {
                HttpConversation::open(&shared.plan, hop, options).map(Conversation::Http)
            }
            (Self::Script(shared), _) => {
                ScriptConversation::open(&shared.plan, &host(&shared.host), options)
                    .map(|script| Conversation::Script(Box::new(script)))
            }
            (Self::Grpc(shared), _) => {
                GrpcConversation::open(&shared.plan, &host(&shared.host), options)
                    .map(|grpc| Conversation::Grpc(Box::new(grpc)))
            }
            (Self::Nothing | Self::Http(_), _) => {
                Err(Box::new(ExchangeResult::bare(Outcome::Ok, None)))
            }
        }
    }

    pub fn keeps_alive(&self) -> bool {
        matches!(self, Self::Http(shared) if shared.keep_alive)
    }
}

impl Conversation {
    pub fn exchange(&mut self) -> &mut dyn Exchange {
        match self {
            Self::Http(http) => http,
            Self::Script(script) => &mut **script,
            Self::Grpc(grpc) => &mut **grpc,
        }
    }
}
