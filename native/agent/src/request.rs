//! Requests and answers, in the words of the QEMU guest agent where it has them, so that its clients are ours too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Arguments of one program.
const MAX_ARGUMENTS: usize = 256;
/// Bytes that a program can be given on its standard input: what a pipe holds, so that writing never waits.
pub const MAX_INPUT_BYTES: usize = 64 * 1024;

/// What a host asks for.
#[derive(Debug, PartialEq)]
pub enum Request {
    Sync { id: i64, delimited: bool },
    Ping,
    Info,
    OsInfo,
    Exec(ExecRequest),
    ExecStatus { id: i64 },
    Health,
    Resources,
    Interfaces,
    Shutdown(Power),
}

/// How the guest is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Off,
    Reboot,
}

/// A program to be run.
#[derive(Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program first.
    pub argv: Vec<String>,
    pub input: Vec<u8>,
    pub timeout_ms: Option<u64>,
}

/// Why a request is not done; `class` is for programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub class: &'static str,
    pub desc: String,
}

impl Refusal {
    /// The request is wrong, or could not be done.
    pub fn error(desc: impl Into<String>) -> Self {
        Self {
            class: "GenericError",
            desc: desc.into(),
        }
    }

    /// The guest's configuration forbids it.
    pub fn forbidden(desc: impl Into<String>) -> Self {
        Self {
            class: "CommandNotAllowed",
            desc: desc.into(),
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    execute: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncArguments {
    id: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ExecArguments {
    path: String,
    #[serde(default)]
    arg: Vec<String>,
    #[serde(default)]
    input_data: String,
    /// Output is always kept.
    #[serde(default, rename = "capture-output")]
    _capture_output: bool,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShutdownArguments {
    #[serde(default = "powerdown")]
    mode: String,
}

/// As the QEMU guest agent takes no mode.
fn powerdown() -> String {
    "powerdown".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusArguments {
    pid: i64,
}

/// Reads one line. Nesting is bounded by the parser (128).
pub fn parse(line: &[u8]) -> Result<Request, Refusal> {
    let envelope: Envelope = serde_json::from_slice(line)
        .map_err(|error| Refusal::error(format!("this is no request: {error}")))?;
    let Envelope { execute, arguments } = envelope;
    match execute.as_str() {
        "guest-sync" | "guest-sync-delimited" => {
            let SyncArguments { id } = read(arguments)?;
            let delimited = execute == "guest-sync-delimited";
            Ok(Request::Sync { id, delimited })
        }
        "guest-ping" => Ok(Request::Ping),
        "guest-info" => Ok(Request::Info),
        "guest-get-osinfo" => Ok(Request::OsInfo),
        "guest-exec" => exec(read(arguments)?).map(Request::Exec),
        "guest-exec-status" => {
            let StatusArguments { pid } = read(arguments)?;
            Ok(Request::ExecStatus { id: pid })
        }
        "guest-network-get-interfaces" => Ok(Request::Interfaces),
        "guest-shutdown" => shutdown(arguments).map(Request::Shutdown),
        "vmpulse-health" => Ok(Request::Health),
        "vmpulse-resources" => Ok(Request::Resources),
        _ => Err(Refusal {
            class: "CommandNotFound",
            desc: "this agent has no such command".to_owned(),
        }),
    }
}

fn shutdown(arguments: Value) -> Result<Power, Refusal> {
    let arguments = if arguments.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        arguments
    };
    let ShutdownArguments { mode } = read(arguments)?;
    match mode.as_str() {
        "powerdown" => Ok(Power::Off),
        "reboot" => Ok(Power::Reboot),
        _ => Err(Refusal::error("mode is powerdown or reboot")),
    }
}

fn exec(arguments: ExecArguments) -> Result<ExecRequest, Refusal> {
    if arguments.path.is_empty()
        || (arguments.path.contains('/') && !arguments.path.starts_with('/'))
    {
        let text = "name the program by its absolute path, or by its name alone";
        return Err(Refusal::error(text));
    }
    if arguments.arg.len() > MAX_ARGUMENTS {
        let text = format!("at most {MAX_ARGUMENTS} arguments can be given");
        return Err(Refusal::error(text));
    }
    let mut argv = vec![arguments.path];
    argv.extend(arguments.arg);
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(Refusal::error("an argument has a zero byte"));
    }
    let input = STANDARD
        .decode(&arguments.input_data)
        .map_err(|_| Refusal::error("input-data is no base64"))?;
    if input.len() > MAX_INPUT_BYTES {
        let text = format!("input-data can have {MAX_INPUT_BYTES} bytes");
        return Err(Refusal::error(text));
    }
    Ok(ExecRequest {
        argv,
        input,
        timeout_ms: arguments.timeout_ms,
    })
}

fn read<T: serde::de::DeserializeOwned>(arguments: Value) -> Result<T, Refusal> {
    serde_json::from_value(arguments)
        .map_err(|error| Refusal::error(format!("wrong arguments: {error}")))
}

/// The line that answers. `delimited`: a 0xFF goes before it.
pub fn answer(result: Result<Value, Refusal>, delimited: bool) -> Vec<u8> {
    let message = match result {
        Ok(value) => serde_json::json!({ "return": value }),
        Err(refusal) => serde_json::json!({ "error": refusal }),
    };
    let mut line = if delimited { vec![0xff] } else { Vec::new() };
    line.extend_from_slice(message.to_string().as_bytes());
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> Refusal {
        parse(line.as_bytes()).expect_err(line)
    }

    #[test]
    fn reads_what_clients_of_qemu_s_agent_send() {
        let sync = br#"{"execute":"guest-sync-delimited","arguments":{"id":4711}}"#;
        let expected = Request::Sync {
            id: 4711,
            delimited: true,
        };
        assert_eq!(parse(sync), Ok(expected));
        assert_eq!(parse(br#"{"execute":"guest-ping"}"#), Ok(Request::Ping));
        let off = br#"{"execute":"guest-shutdown"}"#;
        assert_eq!(parse(off), Ok(Request::Shutdown(Power::Off)));
        let reboot = br#"{"execute":"guest-shutdown","arguments":{"mode":"reboot"}}"#;
        assert_eq!(parse(reboot), Ok(Request::Shutdown(Power::Reboot)));
        let exec = br#"{"execute":"guest-exec","arguments":{"path":"/bin/sh","arg":["-s"],"input-data":"bHMK","capture-output":true,"timeout-ms":500}}"#;
        let expected = Request::Exec(ExecRequest {
            argv: vec!["/bin/sh".into(), "-s".into()],
            input: b"ls\n".to_vec(),
            timeout_ms: Some(500),
        });
        assert_eq!(parse(exec), Ok(expected));
    }

    #[test]
    fn refuses_what_it_does_not_know_or_must_not_do() {
        for line in [
            "",
            "[]",
            "{",
            r#"{"execute":7}"#,
            r#"{"execute":"guest-sync"}"#,
            r#"{"execute":"guest-shutdown","arguments":{"mode":"halt"}}"#,
            r#"{"execute":"guest-shutdown","arguments":7}"#,
            r#"{"execute":"guest-exec","arguments":{"path":"bin/sh"}}"#,
            r#"{"execute":"guest-exec","arguments":{"path":"/bin/sh","env":["LD_PRELOAD=/x"]}}"#,
            r#"{"execute":"guest-exec","arguments":{"path":"/bin/sh","arg":["a\u0000b"]}}"#,
            r#"{"execute":"guest-exec","arguments":{"path":"/bin/sh","input-data":"%"}}"#,
        ] {
            assert_eq!(refused(line).class, "GenericError", "{line}");
        }
        let deep = format!(
            r#"{{"execute":"guest-ping","arguments":{}{}}}"#,
            "[".repeat(500),
            "]".repeat(500)
        );
        assert_eq!(refused(&deep).class, "GenericError");
        let unknown = refused(r#"{"execute":"guest-file-open"}"#);
        assert_eq!(unknown.class, "CommandNotFound");
        let many = format!(
            r#"{{"execute":"guest-exec","arguments":{{"path":"/x","arg":{:?}}}}}"#,
            vec!["a"; 257]
        );
        assert!(refused(&many).desc.contains("256"));
    }

    #[test]
    fn answers_are_lines() {
        assert_eq!(
            answer(Ok(Value::from(7)), true),
            b"\xff{\"return\":7}\n".to_vec()
        );
        let refusal = answer(Err(Refusal::error("a\nb")), false);
        assert_eq!(
            refusal,
            b"{\"error\":{\"class\":\"GenericError\",\"desc\":\"a\\nb\"}}\n".to_vec()
        );
    }
}
