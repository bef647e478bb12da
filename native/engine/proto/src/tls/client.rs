//! How servers are authenticated.

use super::verify::{AnyCertificate, Trusted};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// How servers are authenticated; cheap to clone, share one among all targets of the same settings.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
}

/// Why a verifying client could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsClientError {
    /// The PEM bundle holds no certificate.
    NoCertificates,
    /// A certificate of the bundle could not be read; the text names its place.
    BadCertificate(String),
}

impl fmt::Display for TlsClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificates => formatter.write_str("the CA bundle holds no certificate"),
            Self::BadCertificate(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for TlsClientError {}

/// The moment a conversation was opened at; this crate reads no clock.
#[derive(Debug)]
struct Fixed(UnixTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

fn at(now_unix_s: u64) -> Arc<Fixed> {
    Arc::new(Fixed(UnixTime::since_unix_epoch(Duration::from_secs(
        now_unix_s,
    ))))
}

impl TlsClient {
    /// Accepts any certificate, as the kubelet does. All share one configuration.
    pub fn insecure() -> Self {
        static INSECURE: LazyLock<TlsClient> =
            LazyLock::new(|| TlsClient::with(Arc::new(AnyCertificate::new())));
        INSECURE.clone()
    }

    /// Verifies chain, dates and name against a PEM bundle (the caller reads the host's or the user's file).
    /// A server whose own certificate is in the bundle is trusted as it is.
    pub fn verifying(ca_pem: &[u8]) -> Result<Self, TlsClientError> {
        let mut listed = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(ca_pem).enumerate() {
            let text = |error| {
                format!(
                    "certificate {} of the CA bundle cannot be read: {error}",
                    index + 1
                )
            };
            listed.push(certificate.map_err(|error| TlsClientError::BadCertificate(text(error)))?);
        }
        if listed.is_empty() {
            return Err(TlsClientError::NoCertificates);
        }
        let mut roots = RootCertStore::empty();
        // A host's bundle may hold one that no chain can end at; it stays in `listed` and harms nobody.
        roots.add_parsable_certificates(listed.iter().cloned());
        let chains = if roots.is_empty() {
            None
        } else {
            let provider = Arc::new(ring::default_provider());
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
            Some(built.map_err(|error| {
                TlsClientError::BadCertificate(format!("the CA bundle: {error}"))
            })?)
        };
        Ok(Self::with(Arc::new(Trusted::new(chains, listed))))
    }

    fn with(verifier: Arc<dyn rustls::client::danger::ServerCertVerifier>) -> Self {
        let mut config =
            ClientConfig::builder_with_details(Arc::new(ring::default_provider()), at(0))
                .with_safe_default_protocol_versions()
                .expect("ring offers a cipher suite for each default version")
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_no_client_auth();
        // A resumed session would show no certificate.
        config.resumption = Resumption::disabled();
        Self {
            config: Arc::new(config),
        }
    }

    /// The settings of one connection.
    pub(super) fn config(&self, now_unix_s: u64, protocol: Option<&[u8]>) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols.extend(protocol.map(<[u8]>::to_vec));
        config.time_provider = at(now_unix_s);
        Arc::new(config)
    }
}
