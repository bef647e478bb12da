//! An orderly end of the guest, which its host asks for.

use crate::child;
use crate::request::{Power, Refusal};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that cannot shut down fails about at once; one that can may never end.
const FAILS_WITHIN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(20);

/// Begins it, and refuses where its program fails at once; whether the guest ends, its host sees.
pub fn shut_down(how: Power) -> Result<(), Refusal> {
    let argv = command(how, |program| {
        child::find(program).filter(|path| Path::new(path).exists())
    })
    .ok_or_else(|| Refusal::error("this guest has neither shutdown nor systemctl nor reboot"))?;
    run(&argv)
}

fn run(argv: &[String]) -> Result<(), Refusal> {
    let Some((program, arguments)) = argv.split_first() else {
        return Ok(());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| Refusal::error(format!("{program} does not start: {error}")))?;
    match ended_within(&mut child, FAILS_WITHIN) {
        Some(status) if !status.success() => {
            Err(Refusal::error(format!("{program} failed: {status}")))
        }
        Some(_) => Ok(()),
        None => {
            // Nobody waits for how it ends; it is only not to stay a zombie.
            thread::spawn(move || child.wait());
            Ok(())
        }
    }
}

fn ended_within(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + time;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            _ => return None,
        }
    }
}

/// `shutdown` is what inits agree on; without it systemd's own program, or that of busybox.
fn command(how: Power, find: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let (option, verb) = match how {
        Power::Off => ("-P", "poweroff"),
        Power::Reboot => ("-r", "reboot"),
    };
    let of = |program: &str, arguments: &[&str]| {
        let mut argv = vec![find(program)?];
        argv.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Some(argv)
    };
    of("shutdown", &[option, "now"])
        .or_else(|| of("systemctl", &[verb]))
        .or_else(|| of(verb, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_where_its_program_fails() {
        let argv = |words: &[&str]| {
            words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>()
        };
        let failed = run(&argv(&["/bin/sh", "-c", "exit 3"])).unwrap_err();
        assert!(
            failed.desc.contains("/bin/sh failed: exit status: 3"),
            "{failed:?}"
        );
        assert!(run(&argv(&["/none"])).is_err());
        assert!(run(&argv(&["/bin/sh", "-c", "exit 0"])).is_ok());
        assert!(run(&argv(&["/bin/sleep", "2"])).is_ok());
    }

    #[test]
    fn takes_the_first_program_that_is_there() {
        let with = |there: &'static [&'static str]| {
            move |program: &str| there.contains(&program).then(|| format!("/sbin/{program}"))
        };
        for (there, how, expected) in [
            (
                &["shutdown", "systemctl"][..],
                Power::Reboot,
                Some("/sbin/shutdown -r now"),
            ),
            (&["shutdown"], Power::Off, Some("/sbin/shutdown -P now")),
            (
                &["systemctl", "reboot"],
                Power::Reboot,
                Some("/sbin/systemctl reboot"),
            ),
            (&["poweroff", "reboot"], Power::Off, Some("/sbin/poweroff")),
            (&[], Power::Off, None),
        ] {
            let argv = command(how, with(there)).map(|argv| argv.join(" "));
            assert_eq!(argv.as_deref(), expected);
        }
    }
}
