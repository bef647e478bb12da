//! Probes over TLS against a real server side, in memory.

mod certificates;
mod handshake;

use crate::exchange::{Exchange, ExchangeResult, Progress};
use crate::http::{HttpConversation, HttpSpec, OpenOptions};
use crate::reason::{Outcome, Reason};
use crate::tls::TlsClient;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::sync::Arc;

/// 2030-01-01; the test certificates are valid from 2020 to 2040 unless they say otherwise.
const NOW: u64 = 1_893_456_000;
const NAME: &str = "app.example";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Authority {
    pem: String,
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    Authority {
        pem: certificate.pem(),
        certificate,
        issuer: Issuer::new(params, key),
    }
}

struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

/// A certificate of a CA, or self-signed as `openssl req -x509` makes them: a CA by its own words.
fn identity(authority: Option<&Authority>, name: &str, years: (i32, i32)) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let certificate = match authority {
        Some(authority) => params.signed_by(&key, &authority.issuer).unwrap(),
        None => {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.self_signed(&key).unwrap()
        }
    };
    Identity { certificate, key }
}

fn good(authority: &Authority) -> Identity {
    identity(Some(authority), NAME, (2020, 2040))
}

struct Server {
    connection: ServerConnection,
    response: Vec<u8>,
    request: Vec<u8>,
    /// Sent in the clear right behind the response.
    trailer: Vec<u8>,
}

impl Server {
    fn of(identity: &Identity) -> Self {
        Self::with(identity, rustls::ALL_VERSIONS, None)
    }

    fn with(
        identity: &Identity,
        versions: &[&'static SupportedProtocolVersion],
        client_ca: Option<&Authority>,
    ) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(authority) => builder.with_client_cert_verifier(client_verifier(authority)),
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
        let config = builder
            .with_single_cert(vec![identity.certificate.der().clone()], key)
            .unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        Self {
            connection,
            response: RESPONSE.to_vec(),
            request: Vec::new(),
            trailer: Vec::new(),
        }
    }

    /// Takes what the client sent and gives what the server says to it.
    fn answer(&mut self, mut sent: &[u8]) -> Vec<u8> {
        while !sent.is_empty() {
            self.connection.read_tls(&mut sent).unwrap();
            // An error is answered by the alert that is queued below.
            let _ = self.connection.process_new_packets();
        }
        let mut plain = [0; 4096];
        while let Ok(length @ 1..) = self.connection.reader().read(&mut plain) {
            self.request.extend_from_slice(&plain[..length]);
        }
        let mut trailer = Vec::new();
        if self.request.ends_with(b"\r\n\r\n") && !self.response.is_empty() {
            self.connection
                .writer()
                .write_all(&std::mem::take(&mut self.response))
                .unwrap();
            trailer = std::mem::take(&mut self.trailer);
        }
        let mut out = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut out).unwrap();
        }
        out.extend_from_slice(&trailer);
        out
    }
}

fn client_verifier(authority: &Authority) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap()
}

fn secure() -> HttpSpec {
    HttpSpec {
        tls: true,
        ..HttpSpec::get(8443, "/")
    }
}

fn verifying(pem: &str) -> HttpSpec {
    HttpSpec {
        tls_client: TlsClient::verifying(pem.as_bytes()).unwrap(),
        ..secure()
    }
}

fn open(spec: &HttpSpec, host: &str) -> HttpConversation {
    let plan = spec.clone().compile().unwrap();
    let hop = plan.first_hop(host).unwrap();
    HttpConversation::open(
        &plan,
        hop,
        OpenOptions {
            now_unix_s: NOW,
            debug: true,
        },
    )
    .unwrap()
}

/// Runs a conversation to its end, handing the server's bytes over in pieces of `step`; the server closes when
/// neither side has anything more to say.
fn talk(mut client: HttpConversation, server: &mut Server, step: usize) -> ExchangeResult {
    loop {
        let mut sent = Vec::new();
        client.pull(&mut sent);
        let said = server.answer(&sent);
        for piece in said.chunks(step) {
            match client.on_bytes(piece) {
                Progress::Done(result) => return *result,
                Progress::More => {}
                Progress::Redirect(hop) => panic!("redirected to {hop:?}"),
            }
        }
        if said.is_empty() {
            return match client.on_eof() {
                Progress::Done(result) => *result,
                other => panic!("after the end: {other:?}"),
            };
        }
    }
}

/// Probes a server that `make` builds, in several cuts, which must agree.
fn probe(spec: &HttpSpec, host: &str, make: impl Fn() -> Server) -> ExchangeResult {
    let whole = talk(open(spec, host), &mut make(), usize::MAX);
    for step in [1, 5, 1000] {
        let cut = talk(open(spec, host), &mut make(), step);
        assert_eq!(
            (cut.outcome, cut.details),
            (whole.outcome, whole.details),
            "in steps of {step}"
        );
    }
    whole
}

fn outcome(spec: &HttpSpec, host: &str, identity: &Identity) -> Outcome {
    probe(spec, host, || Server::of(identity)).outcome
}

fn failed(reason: Reason) -> Outcome {
    Outcome::Failed(reason)
}
