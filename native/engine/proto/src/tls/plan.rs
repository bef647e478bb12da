//! TLS of a conversation whose host is not part of what it says.

use super::client::TlsClient;
use super::layer::TlsSetup;
use rustls::pki_types::ServerName;

/// How a stream is encrypted; shared by targets that differ only in their host.
#[derive(Clone, Debug)]
pub struct TlsPlan {
    pub client: TlsClient,
    /// Name for SNI and verification; `None`: the host that is connected to.
    pub server_name: Option<ServerName<'static>>,
    /// Fails with `certificate-expired` when the certificate ends sooner than this, whether verified or not.
    pub certificate_expires_within_days: Option<u32>,
}

/// A name or IP literal that TLS can ask for.
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).ok()
}

impl TlsPlan {
    /// The settings of one connection; `None` if neither a name was given nor `host` is one that TLS can ask for.
    pub(crate) fn setup(
        &self,
        host: &str,
        now_unix_s: u64,
        protocol: Option<&'static [u8]>,
    ) -> Option<TlsSetup<'_>> {
        Some(TlsSetup {
            client: &self.client,
            server_name: self.server_name.clone().or_else(|| server_name(host))?,
            now_unix_s,
            certificate_expires_within_days: self.certificate_expires_within_days,
            protocol,
        })
    }
}
