//! What Cloud Hypervisor writes to its `--event-monitor`.

use crate::channel::{ChannelFault, ChannelMessage, ChannelSession, Json, SendError};
use crate::json_frame::is_shallow;
use crate::reason::Reason;
use crate::text::escape;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of one event; beyond it is dropped.
const MAX_EVENT_BYTES: usize = 64 * 1024;
/// Pretty-printed JSON holds no empty line, so an event that was cut ends with the next one at the latest.
const SEPARATOR: &[u8] = b"\n\n";

#[derive(Deserialize)]
struct Event<'a> {
    source: String,
    event: String,
    #[serde(borrow, default)]
    properties: Option<&'a RawValue>,
}

/// A stream of JSON objects, each followed by an empty line. An event is named `<source>.<event>`, for example
/// `guest.panic`, and its data are the properties. The stream is lossy: the writer drops what does not fit.
#[derive(Debug, Default)]
pub struct EventSession {
    record: Vec<u8>,
    /// The record is too large; what follows up to the separator is dropped.
    skipping: bool,
}

impl EventSession {
    pub fn new() -> Self {
        Self::default()
    }

    fn conclude(&mut self) -> Option<ChannelMessage> {
        let record = std::mem::take(&mut self.record);
        if std::mem::take(&mut self.skipping) {
            return Some(ChannelMessage::EventLost);
        }
        let text = record.trim_ascii();
        if text.is_empty() {
            return None;
        }
        let event = serde_json::from_slice::<Event<'_>>(text).ok();
        Some(match event.filter(|_| is_shallow(text)) {
            None => ChannelMessage::EventLost,
            Some(event) => ChannelMessage::Event {
                name: escape(format!("{}.{}", event.source, event.event).as_bytes(), 128).into(),
                data: event.properties.map(|data| Json::from(data.to_owned())),
                timestamp_us: None,
            },
        })
    }
}

impl ChannelSession for EventSession {
    fn pull(&mut self, _out: &mut Vec<u8>) {}

    fn send(&mut self, _: u64, _: &str, _: Option<&str>) -> Result<(), SendError> {
        Err(SendError::Invalid)
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        messages: &mut Vec<ChannelMessage>,
    ) -> Result<(), ChannelFault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // The separator may have been cut in two.
            let cut = self.record.last() == Some(&b'\n') && rest[0] == b'\n';
            let end = if cut {
                Some(1)
            } else {
                memmem::find(rest, SEPARATOR).map(|at| at + SEPARATOR.len())
            };
            let (record, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            if self.record.len() + record.len() > MAX_EVENT_BYTES {
                self.skipping = true;
                self.record.clear();
            }
            if !self.skipping {
                self.record.extend_from_slice(record);
            } else if record.last() == Some(&b'\n') {
                // Enough to see the separator.
                self.record = b"\n".to_vec();
            } else {
                self.record.clear();
            }
            if end.is_some() {
                messages.extend(self.conclude());
            }
        }
        Ok(())
    }

    fn forget(&mut self, _id: u64) {}

    fn is_ready(&self) -> bool {
        false
    }

    fn timeout_reason(&self) -> Reason {
        Reason::ResponseTimeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stream: &[u8], step: usize) -> Vec<String> {
        let mut session = EventSession::new();
        let mut messages = Vec::new();
        for chunk in stream.chunks(step) {
            session.on_bytes(chunk, &mut messages).unwrap();
        }
        messages
            .iter()
            .map(|message| match message {
                ChannelMessage::Event { name, data, .. } => {
                    format!("{name} {}", data.as_ref().map_or("-", |data| data.get()))
                }
                ChannelMessage::EventLost => "lost".to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn record(source: &str, event: &str, properties: &str) -> String {
        format!(
            "{{\n  \"timestamp\": {{\n    \"secs\": 0,\n    \"nanos\": 7\n  }},\n  \"source\": \"{source}\",\n  \"event\": \"{event}\",\n  \"properties\": {properties}\n}}\n\n"
        )
    }

    #[test]
    fn reads_events_whatever_the_chunks() {
        let stream = record("vm", "booting", "null") + &record("guest", "panic", r#"{"a":"b"}"#);
        for step in 1..=stream.len() {
            assert_eq!(
                events(stream.as_bytes(), step),
                ["vm.booting -", r#"guest.panic {"a":"b"}"#],
                "{step}"
            );
        }
    }

    #[test]
    fn loses_what_was_cut_or_is_too_large_and_no_more() {
        let whole = record("vm", "shutdown", "null");
        let cut = &whole[..whole.len() / 2];
        let large = record(
            "x",
            "y",
            &format!("{{\"z\":\"{}\"}}", "z".repeat(2 * MAX_EVENT_BYTES)),
        );
        let stream = format!("{cut}\n\nnonsense\n\n{large}{{\"source\":1}}\n\n{whole}");
        for step in [1, 7, 4096, stream.len()] {
            assert_eq!(
                events(stream.as_bytes(), step),
                ["lost", "lost", "lost", "lost", "vm.shutdown -"],
                "{step}"
            );
        }
    }

    #[test]
    fn holds_no_more_than_one_event() {
        let mut session = EventSession::new();
        for _ in 0..64 {
            session.on_bytes(&[b'{'; 8192], &mut Vec::new()).unwrap();
            assert!(session.record.capacity() <= 2 * MAX_EVENT_BYTES);
        }
    }
}
