//! What frames about the connection and the stream mean.

use super::fault::Fault;
use super::frame::Head;
use crate::reason::Reason;
use crate::text::escape;

/// The only stream there is.
pub const STREAM: u32 = 1;
/// Characters of a peer's words that are shown.
const SHOWN_BYTES: usize = 128;

pub fn on_our_stream(head: &Head, what: &str) -> Result<(), Fault> {
    if head.stream == STREAM {
        return Ok(());
    }
    Err(Fault::protocol(format!(
        "a {what} frame on stream {}, which is not open",
        head.stream
    )))
}

/// The request is on its way already, so that no value matters; but one that cannot be is no HTTP/2.
pub fn check_setting(id: u16, value: u32) -> Result<(), Fault> {
    let fits = match id {
        2 => value <= 1,
        4 => value <= 0x7fff_ffff,
        5 => (16_384..=16_777_215).contains(&value),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::protocol(format!(
            "the setting {id} cannot be {value}"
        )))
    }
}

pub fn on_reset(head: &Head, payload: &[u8]) -> Fault {
    if let Err(fault) = on_our_stream(head, "RST_STREAM") {
        return fault;
    }
    match payload.try_into() {
        Ok(code) => Fault {
            reason: Reason::ConnectionReset,
            message: format!(
                "the server reset the stream: {}",
                error_name(u32::from_be_bytes(code))
            ),
        },
        Err(_) => Fault::protocol("a RST_STREAM frame of a wrong length"),
    }
}

/// One that lets our stream end in peace changes nothing.
pub fn on_goaway(head: &Head, payload: &[u8]) -> Result<(), Fault> {
    let Some((&[a, b, c, d, code @ ..], debug)) = payload.split_first_chunk::<8>() else {
        return Err(Fault::protocol("a GOAWAY frame of a wrong length"));
    };
    if head.stream != 0 {
        return Err(Fault::protocol("a GOAWAY frame on a stream"));
    }
    if u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff >= STREAM {
        return Ok(());
    }
    let mut message = format!(
        "the server goes away: {}",
        error_name(u32::from_be_bytes(code))
    );
    if !debug.is_empty() {
        message.push_str(&format!(" (\"{}\")", escape(debug, SHOWN_BYTES)));
    }
    Err(Fault {
        reason: Reason::ConnectionClosed,
        message,
    })
}

pub fn on_window(payload: &[u8]) -> Result<(), Fault> {
    match payload.try_into().map(u32::from_be_bytes) {
        Ok(increment) if increment & 0x7fff_ffff != 0 => Ok(()),
        _ => Err(Fault::protocol("a WINDOW_UPDATE frame that is none")),
    }
}

/// RFC 9113, section 7.
fn error_name(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    match NAMES.get(code as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("error {code}"),
    }
}
