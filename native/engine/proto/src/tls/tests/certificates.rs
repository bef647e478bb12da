use super::*;
use crate::tls::TlsClientError;

#[test]
fn without_verification_any_certificate_does() {
    let ca = authority();
    for identity in [
        good(&ca),
        identity(None, "other.example", (2020, 2040)),
        identity(None, NAME, (2010, 2020)),
        identity(None, NAME, (2035, 2040)),
    ] {
        assert_eq!(outcome(&secure(), NAME, &identity), Outcome::Ok);
    }
}

#[test]
fn verification_takes_a_chain_to_the_bundle() {
    let (ca, other) = (authority(), authority());
    let trusting = verifying(&ca.pem);
    assert_eq!(outcome(&trusting, NAME, &good(&ca)), Outcome::Ok);
    let address = identity(Some(&ca), "10.0.0.1", (2020, 2040));
    assert_eq!(outcome(&trusting, "10.0.0.1", &address), Outcome::Ok);
    for (identity, reason) in [
        (good(&other), Reason::CertificateUntrusted),
        (
            identity(None, NAME, (2020, 2040)),
            Reason::CertificateUntrusted,
        ),
        (
            identity(Some(&ca), NAME, (2010, 2020)),
            Reason::CertificateExpired,
        ),
        (
            identity(Some(&ca), NAME, (2035, 2040)),
            Reason::CertificateExpired,
        ),
        (
            identity(Some(&ca), "other.example", (2020, 2040)),
            Reason::NameMismatch,
        ),
        (address, Reason::NameMismatch),
    ] {
        assert_eq!(outcome(&trusting, NAME, &identity), failed(reason));
    }
    assert_eq!(
        outcome(&verifying(&(other.pem + &ca.pem)), NAME, &good(&ca)),
        Outcome::Ok,
        "any of a bundle"
    );
}

#[test]
fn a_listed_certificate_is_trusted_as_it_is() {
    for (years, host, want) in [
        ((2020, 2040), NAME, Outcome::Ok),
        ((2010, 2020), NAME, failed(Reason::CertificateExpired)),
        ((2035, 2040), NAME, failed(Reason::CertificateExpired)),
        ((2020, 2040), "other.example", failed(Reason::NameMismatch)),
    ] {
        let own = identity(None, NAME, years);
        assert_eq!(
            outcome(&verifying(&own.certificate.pem()), host, &own),
            want,
            "{years:?} {host}"
        );
    }
}

#[test]
fn bundles_without_certificates_are_refused() {
    for pem in ["", "no pem at all"] {
        assert_eq!(
            TlsClient::verifying(pem.as_bytes()).unwrap_err(),
            TlsClientError::NoCertificates
        );
    }
    let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let error =
        TlsClient::verifying(format!("{}{broken}", authority().pem).as_bytes()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("certificate 2 of the CA bundle cannot be read: "),
        "{error}"
    );
}

#[test]
fn a_certificate_that_ends_soon_fails_verified_or_not() {
    let ca = authority();
    // Ends 2031-01-01, 365 days from now.
    let short = identity(Some(&ca), NAME, (2020, 2031));
    let gone = identity(Some(&ca), NAME, (2020, 2029));
    for spec in [secure(), verifying(&ca.pem)] {
        let within = |days| HttpSpec {
            certificate_expires_within_days: Some(days),
            ..spec.clone()
        };
        assert_eq!(outcome(&within(365), NAME, &short), Outcome::Ok);
        assert_eq!(
            outcome(&within(366), NAME, &short),
            failed(Reason::CertificateExpired)
        );
        assert_eq!(
            outcome(&within(0), NAME, &gone),
            failed(Reason::CertificateExpired)
        );
    }
    let within = HttpSpec {
        certificate_expires_within_days: Some(400),
        ..secure()
    };
    let result = probe(&within, NAME, || Server::of(&short));
    assert_eq!(
        result.message.as_deref(),
        Some("the certificate expires in 365 days, wanted 400")
    );
    assert_eq!(result.details.certificate_not_after, Some(1_924_992_000));
}

#[test]
fn the_host_header_is_the_name_that_is_asked_for_and_verified() {
    let ca = authority();
    let leaf = good(&ca);
    let named = HttpSpec {
        headers: vec![("Host".into(), format!("{NAME}:9000"))],
        ..verifying(&ca.pem)
    };
    let mut server = Server::of(&leaf);
    assert_eq!(
        talk(open(&named, "10.0.0.1"), &mut server, 4096).outcome,
        Outcome::Ok
    );
    assert_eq!(server.connection.server_name(), Some(NAME));
    let mut server = Server::of(&leaf);
    let result = talk(open(&verifying(&ca.pem), "10.0.0.1"), &mut server, 4096);
    assert_eq!(result.outcome, failed(Reason::NameMismatch));
    assert_eq!(
        server.connection.server_name(),
        None,
        "an address is not asked for"
    );
}
