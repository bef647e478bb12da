//! Options as the caller gives them, made into what conversations run by. Messages begin with the field.

use crate::spec::{
    ExchangeOptionsSpec, ExpectSpec, GrpcOptionsSpec, HttpOptionsSpec, SchemeSpec, StepSpec,
    TlsSpec,
};
use crate::talk::{GrpcShared, HttpShared, ScriptShared};
use rustc_hash::FxHashMap;
use vmpulse_proto::script::Step;
use vmpulse_proto::tls::server_name;
use vmpulse_proto::{GrpcSpec, HttpSpec, ScriptSpec, TlsClient, TlsClientError, TlsPlan};

/// TLS settings, one for each bundle.
#[derive(Default)]
pub struct Clients {
    verifying: FxHashMap<u64, TlsClient>,
}

/// Hash and text of a PEM bundle.
type Bundle<'a> = Option<(u64, &'a str)>;

impl Clients {
    fn get(&mut self, verify: bool, bundle: Bundle<'_>) -> Result<TlsClient, String> {
        if !verify {
            return Ok(TlsClient::insecure());
        }
        let (hash, pem) = bundle.ok_or("verify needs caPem: the bundle to verify against")?;
        if let Some(client) = self.verifying.get(&hash) {
            return Ok(client.clone());
        }
        let client = TlsClient::verifying(pem.as_bytes()).map_err(|error| match error {
            TlsClientError::NoCertificates => "caPem holds no certificate".to_owned(),
            TlsClientError::BadCertificate(text) => format!("caPem: {text}"),
        })?;
        self.verifying.insert(hash, client.clone());
        Ok(client)
    }

    /// Forgets all but the bundles that are used.
    pub fn keep(&mut self, used: &[u64]) {
        self.verifying.retain(|hash, _| used.contains(hash));
    }
}

pub fn http(
    options: HttpOptionsSpec,
    clients: &mut Clients,
    bundle: Bundle<'_>,
) -> Result<HttpShared, String> {
    let tls = options.scheme == SchemeSpec::Https;
    let tls_client = clients.get(tls && options.verify, bundle)?;
    let ExpectSpec {
        status,
        body_contains,
        body_regex,
        headers,
    } = options.expect;
    let keep_alive = options.keep_alive;
    let plan = HttpSpec {
        tls,
        port: options.port,
        path: options.path,
        method: options.method.unwrap_or_else(|| "GET".to_owned()),
        headers: options.headers,
        body: options.body.map(String::into_bytes),
        keep_alive,
        tls_client,
        certificate_expires_within_days: options.certificate_expires_within_days,
        expect_status: status,
        expect_body_contains: body_contains.map(String::into_bytes),
        expect_body_regex: body_regex,
        expect_headers: headers,
        max_body_bytes: options.max_body_bytes,
    }
    .compile()
    .map_err(|error| format!("{}: {}", error.field, error.message))?;
    if let Some(host) = &options.host {
        plan.first_hop(host)
            .map_err(|error| format!("{}: {}", error.field, error.message))?;
    }
    Ok(HttpShared {
        plan,
        host: options.host.map(String::into_boxed_str),
        keep_alive,
    })
}

pub fn script(
    options: ExchangeOptionsSpec,
    clients: &mut Clients,
    bundle: Bundle<'_>,
) -> Result<ScriptShared, String> {
    let steps = options.steps.into_iter().enumerate();
    let steps = steps
        .map(|(index, spec)| step(spec).map_err(|message| format!("steps[{index}]: {message}")));
    let plan = ScriptSpec {
        steps: steps.collect::<Result<_, _>>()?,
        tls: tls(options.tls, clients, bundle)?,
        max_bytes: options.max_bytes,
    }
    .compile()
    .map_err(|error| format!("{}: {}", error.field, error.message))?;
    match &options.host {
        Some(host) if !plan.takes_host(host) => Err(NO_NAME.to_owned()),
        _ => Ok(ScriptShared {
            plan,
            host: options.host.map(String::into_boxed_str),
        }),
    }
}

pub fn grpc(
    options: GrpcOptionsSpec,
    clients: &mut Clients,
    bundle: Bundle<'_>,
) -> Result<GrpcShared, String> {
    let plan = GrpcSpec {
        service: options.service,
        authority: options.authority,
        port: options.port,
        tls: tls(options.tls, clients, bundle)?,
    }
    .compile()
    .map_err(|error| format!("{}: {}", error.field, error.message))?;
    match &options.host {
        Some(host) if !plan.takes_host(host) => Err(NO_NAME.to_owned()),
        _ => Ok(GrpcShared {
            plan,
            host: options.host.map(String::into_boxed_str),
        }),
    }
}

const NO_NAME: &str = "host: is not a name that TLS can ask for";

fn tls(
    options: Option<TlsSpec>,
    clients: &mut Clients,
    bundle: Bundle<'_>,
) -> Result<Option<TlsPlan>, String> {
    let Some(options) = options else {
        return Ok(None);
    };
    let name = options.server_name.as_deref();
    let name = name.map(|name| server_name(name).ok_or("tls.serverName: is not a host"));
    Ok(Some(TlsPlan {
        client: clients
            .get(options.verify, bundle)
            .map_err(|message| format!("tls.{message}"))?,
        server_name: name.transpose()?,
        certificate_expires_within_days: options.certificate_expires_within_days,
    }))
}

fn step(spec: StepSpec) -> Result<Step, String> {
    Ok(match spec {
        StepSpec::Send(text) => Step::Send(hex(&text)?),
        StepSpec::Expect(text) => Step::Expect(hex(&text)?),
        StepSpec::ExpectRegex(pattern) => Step::ExpectRegex(pattern),
        StepSpec::StartTls(true) => Step::StartTls,
        StepSpec::StartTls(false) => return Err("startTls must be true".to_owned()),
    })
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()),
        _ => Err("is not bytes in hex".to_owned()),
    }
}
