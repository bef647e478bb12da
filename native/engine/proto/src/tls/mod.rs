//! A TLS client layer around any [`Exchange`](crate::Exchange).

/// How servers are authenticated; cheap to clone, share one among all targets of the same settings.
#[derive(Clone, Debug)]
pub struct TlsClient {}

/// Why a verifying client could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsClientError {
    /// The PEM bundle holds no certificate.
    NoCertificates,
    /// A certificate of the bundle could not be read; the text names its place.
    BadCertificate(String),
}

impl TlsClient {
    /// Accepts any certificate, as the kubelet does.
    pub fn insecure() -> Self {
        todo!()
    }

    /// Verifies chain, dates and name against a PEM bundle (the caller reads the host's or the user's file).
    pub fn verifying(_ca_pem: &[u8]) -> Result<Self, TlsClientError> {
        todo!()
    }
}
