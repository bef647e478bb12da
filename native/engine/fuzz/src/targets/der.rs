//! The dates of a certificate.

use vmpulse_proto::tls::certificate_validity;

pub fn fuzz(data: &[u8]) {
    certificate_validity(data);
}
