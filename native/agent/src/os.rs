//! What system this is, as the QEMU guest agent tells it.

use crate::sys;
use serde_json::{Map, Value};

/// Fields of os-release that are told.
const FIELDS: [(&str, &str); 5] = [
    ("ID", "id"),
    ("NAME", "name"),
    ("PRETTY_NAME", "pretty-name"),
    ("VERSION", "version"),
    ("VERSION_ID", "version-id"),
];
const MAX_CHARS: usize = 256;

/// `guest-get-osinfo`, with the host's name and the boot beside it.
pub fn info() -> Value {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_default();
    let mut info = parse_os_release(&text);
    for (name, value) in sys::uname() {
        info.insert(name.to_owned(), Value::from(value));
    }
    info.insert(
        "boot-id".to_owned(),
        Value::from(crate::resources::boot_id()),
    );
    Value::Object(info)
}

fn parse_os_release(text: &str) -> Map<String, Value> {
    let lines = text.lines().filter_map(|line| line.trim().split_once('='));
    lines
        .filter_map(|(key, value)| {
            let (_, name) = FIELDS.iter().find(|(field, _)| *field == key)?;
            let bare = value.trim_matches(['"', '\'']);
            let short: String = bare.chars().take(MAX_CHARS).collect();
            Some(((*name).to_owned(), Value::from(short)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_os_release() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n# x\nHOME_URL=\"y\"\nVERSION_ID='12'\n";
        let info = Value::Object(parse_os_release(text));
        let expected = serde_json::json!({
            "pretty-name": "Debian GNU/Linux 12 (bookworm)", "id": "debian", "version-id": "12",
        });
        assert_eq!(info, expected);
    }

    #[test]
    fn knows_its_kernel() {
        let info = info();
        assert!(!info["kernel-release"].as_str().unwrap().is_empty());
        assert!(info["machine"].is_string() && info["boot-id"].is_string());
    }
}
