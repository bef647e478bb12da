//! One binary for all fuzz targets: libFuzzer's own options on the command line, the target's name in FUZZ_TARGET.
//!
//! A target fails by a panic, by more than the memory limit or by an input that takes seconds.
#![no_main]

mod targets;

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use targets::{TARGETS, Target};

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|target| target.0 == name);
        let names = TARGETS.map(|target| target.0).join(" ");
        found
            .unwrap_or_else(|| panic!("FUZZ_TARGET is none of {names}"))
            .1
    })
}

fuzz_target!(|data: &[u8]| chosen()(data));
