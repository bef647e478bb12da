//! The agent's configuration, a TOML file. Every option has a default: without a file it only tells, and runs nothing.

use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// `/etc/vmpulse-agent.toml`
pub const DEFAULT_PATH: &str = "/etc/vmpulse-agent.toml";

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: Listen,
    pub health: Health,
    pub watchdog: Watchdog,
    pub exec: Exec,
}

/// Where hosts are heard.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    /// Name of the virtio-serial port; empty: none.
    pub virtio_port: String,
    /// Port of AF_VSOCK; 0: none.
    pub vsock_port: u32,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            virtio_port: "org.vmpulse.agent.0".to_owned(),
            vsock_port: 9720,
        }
    }
}

/// What the guest checks by itself.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Health {
    pub period_seconds: u64,
    /// Of one check.
    pub timeout_seconds: u64,
    /// So many rounds must fail, one after the other, before the guest says that it is not well.
    pub failures: u32,
    pub checks: Vec<Check>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            period_seconds: 10,
            timeout_seconds: 5,
            failures: 3,
            checks: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub name: String,
    /// Must end with 0: a program by its absolute path, and its arguments; no shell.
    pub command: Option<Vec<String>>,
    /// Must be active, for example `nginx.service`.
    pub unit: Option<String>,
    /// A folder in which a file must be writable.
    pub writable: Option<String>,
}

/// A watchdog device that is fed while the checks pass.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Watchdog {
    /// For example `/dev/watchdog`; empty: none is fed.
    pub device: String,
    pub timeout_seconds: u32,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            device: String::new(),
            timeout_seconds: 30,
        }
    }
}

/// Programs that the host may run here.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Exec {
    pub enabled: bool,
    /// Argument lists. `*` stands for any one argument, `**` at the end for any that follow.
    pub allow: Vec<Vec<String>>,
    /// A program that runs longer is killed with its process group.
    pub timeout_seconds: u64,
    /// Kept of each output.
    pub max_output_bytes: usize,
}

impl Default for Exec {
    fn default() -> Self {
        Self {
            enabled: false,
            allow: Vec::new(),
            timeout_seconds: 60,
            max_output_bytes: 64 * 1024,
        }
    }
}

/// What is wrong with a configuration, for a person.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Config {
    /// Reads a file; one that is not there gives the defaults only where nobody named it.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, named) = match path {
            Some(path) => (path, true),
            None => (Path::new(DEFAULT_PATH), false),
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text)
                .map_err(|error| ConfigError(format!("{}: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {
                Ok(Self::default())
            }
            Err(error) => Err(ConfigError(format!("{}: {error}", path.display()))),
        }
    }

    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            basic_toml::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        within("health.period-seconds", self.health.period_seconds, 1, 3600)?;
        within(
            "health.timeout-seconds",
            self.health.timeout_seconds,
            1,
            300,
        )?;
        within("health.failures", u64::from(self.health.failures), 1, 100)?;
        within("exec.timeout-seconds", self.exec.timeout_seconds, 1, 3600)?;
        let output = self.exec.max_output_bytes as u64;
        within("exec.max-output-bytes", output, 1, 1024 * 1024)?;
        let timeout = u64::from(self.watchdog.timeout_seconds);
        within("watchdog.timeout-seconds", timeout, 2, 3600)?;
        for check in &self.health.checks {
            check.validate()?;
        }
        for argv in &self.exec.allow {
            absolute("exec.allow", argv)?;
        }
        Ok(())
    }
}

impl Check {
    fn validate(&self) -> Result<(), ConfigError> {
        let place = format!("health check '{}'", self.name);
        let kinds = usize::from(self.command.is_some())
            + usize::from(self.unit.is_some())
            + usize::from(self.writable.is_some());
        if kinds != 1 {
            let text = format!("{place}: give one of command, unit and writable");
            return Err(ConfigError(text));
        }
        self.command
            .as_ref()
            .map_or(Ok(()), |argv| absolute(&place, argv))
    }
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let text = format!("{name} = {value}: give {least} to {most}");
    Err(ConfigError(text))
}

fn absolute(place: &str, argv: &[String]) -> Result<(), ConfigError> {
    if argv.first().is_some_and(|program| program.starts_with('/')) {
        return Ok(());
    }
    let text = format!("{place}: a command begins with the absolute path of its program");
    Err(ConfigError(text))
}

impl Exec {
    /// Whether this argument list is on the list.
    pub fn allows(&self, argv: &[String]) -> bool {
        self.allow.iter().any(|pattern| matches(pattern, argv))
    }
}

fn matches(pattern: &[String], argv: &[String]) -> bool {
    let (fixed, open) = match pattern.split_last() {
        Some((last, head)) if last == "**" => (head, true),
        _ => (pattern, false),
    };
    let fits = if open {
        argv.len() >= fixed.len()
    } else {
        argv.len() == fixed.len()
    };
    fits && fixed
        .iter()
        .zip(argv)
        .enumerate()
        .all(|(index, (wanted, word))| wanted == word || (index > 0 && wanted == "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn nothing_runs_by_default() {
        let config = Config::parse("").unwrap();
        assert_eq!(config, Config::default());
        assert!(!config.exec.enabled && !config.exec.allows(&argv("/bin/true")));
        assert_eq!(config.watchdog.device, "");
    }

    #[test]
    fn the_shipped_file_is_valid_and_changes_nothing() {
        let text = include_str!("../install/vmpulse-agent.toml");
        assert_eq!(Config::parse(text).unwrap(), Config::default());
        let shown = text
            .lines()
            .map(|line| line.strip_prefix("# ex: ").unwrap_or(line));
        let examples = Config::parse(&shown.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(examples.health.checks.len(), 3);
        assert!(examples.exec.enabled);
    }

    #[test]
    fn an_allowed_command_matches_word_by_word() {
        let exec = Config::parse(
            r#"[exec]
            enabled = true
            allow = [["/bin/systemctl", "restart", "nginx"], ["/bin/cat", "*"], ["/bin/journalctl", "-u", "**"]]"#,
        )
        .unwrap()
        .exec;
        for allowed in [
            "/bin/systemctl restart nginx",
            "/bin/cat /etc/hostname",
            "/bin/journalctl -u",
            "/bin/journalctl -u nginx -n 20",
        ] {
            assert!(exec.allows(&argv(allowed)), "{allowed}");
        }
        for refused in [
            "/bin/systemctl restart sshd",
            "/bin/systemctl restart nginx sshd",
            "/bin/systemctl restart",
            "/bin/cat",
            "/bin/cat a b",
            "/bin/journalctl",
            "/usr/bin/systemctl restart nginx",
            "*",
        ] {
            assert!(!exec.allows(&argv(refused)), "{refused}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("[exec]\nenable = true", "enable"),
            ("[health]\nperiod-seconds = 0", "health.period-seconds"),
            (
                "[watchdog]\ntimeout-seconds = 1",
                "watchdog.timeout-seconds",
            ),
            ("[exec]\nallow = [[\"ls\"]]", "exec.allow"),
            ("[exec]\nallow = [[]]", "exec.allow"),
            ("[[health.checks]]\nname = \"web\"", "'web'"),
            (
                "[[health.checks]]\nname = \"web\"\nunit = \"a\"\nwritable = \"/\"",
                "'web'",
            ),
            (
                "[[health.checks]]\nname = \"web\"\ncommand = [\"true\"]",
                "'web'",
            ),
        ] {
            let error = Config::parse(text).expect_err(text);
            assert!(error.to_string().contains(named), "{text}: {error}");
        }
    }
}
