//! Memory, load and pressure, from /proc.

use serde::Serialize;

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub total_bytes: u64,
    /// What programs can have without swapping, as the kernel estimates it.
    pub available_bytes: u64,
    pub free_bytes: u64,
    pub swap_total_bytes: u64,
    pub swap_free_bytes: u64,
}

/// Reads /proc/meminfo.
pub fn parse_meminfo(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line
            .strip_prefix(':')?
            .split_ascii_whitespace()
            .next()?
            .parse()
            .ok()?;
        kib.checked_mul(1024)
    };
    let free_bytes = field("MemFree")?;
    Some(Memory {
        total_bytes: field("MemTotal")?,
        available_bytes: field("MemAvailable").unwrap_or(free_bytes),
        free_bytes,
        swap_total_bytes: field("SwapTotal").unwrap_or(0),
        swap_free_bytes: field("SwapFree").unwrap_or(0),
    })
}

/// Reads /proc/loadavg: runnable tasks over 1, 5 and 15 minutes.
pub fn parse_loadavg(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map(|word| word.parse().ok());
    Some([words.next()??, words.next()??, words.next()??])
}

/// Share of the last ten seconds in which tasks waited for something, percent.
#[derive(Debug, PartialEq, Serialize)]
pub struct Pressure {
    /// At least one task.
    pub some: f64,
    /// All tasks at once.
    pub full: f64,
}

/// Reads a file of /proc/pressure.
pub fn parse_pressure(text: &str) -> Option<Pressure> {
    let avg10 = |kind: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        line.split_ascii_whitespace()
            .find_map(|word| word.strip_prefix("avg10="))?
            .parse()
            .ok()
    };
    Some(Pressure {
        some: avg10("some ")?,
        full: avg10("full ").unwrap_or(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_memory_and_does_without_what_old_kernels_lack() {
        let text = "MemTotal:        2048 kB\nMemFree:          512 kB\nMemAvailable:    1024 kB\nSwapTotal:  0 kB\n";
        let memory = parse_meminfo(text).unwrap();
        assert_eq!(memory.total_bytes, 2 * 1024 * 1024);
        assert_eq!(memory.available_bytes, 1024 * 1024);
        let old = parse_meminfo("MemTotal: 4 kB\nMemFree: 1 kB\n").unwrap();
        assert_eq!(old.available_bytes, 1024);
        assert_eq!(parse_meminfo("MemFree: 1 kB\n"), None);
        assert_eq!(parse_meminfo("MemTotal: 99999999999999999999 kB\n"), None);
    }

    #[test]
    fn reads_load_and_pressure() {
        assert_eq!(
            parse_loadavg("0.50 1.25 2.00 1/99 1234\n"),
            Some([0.5, 1.25, 2.0])
        );
        assert_eq!(parse_loadavg("0.50 x\n"), None);
        let text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=3\n";
        let expected = Pressure {
            some: 1.5,
            full: 0.25,
        };
        assert_eq!(parse_pressure(text), Some(expected));
        assert_eq!(parse_pressure(""), None);
    }
}
