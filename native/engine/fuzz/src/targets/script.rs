//! What a server answers to a script: texts, expressions and STARTTLS, as one read and as many.

use super::split;
use std::sync::{Arc, LazyLock};
use vmpulse_proto::script::Step;
use vmpulse_proto::{
    Exchange, ExchangeResult, OpenOptions, Outcome, Progress, Reason, ScriptConversation,
    ScriptPlan, ScriptSpec, TlsClient, TlsPlan,
};

const MAX_BYTES: usize = 1024;
/// What a script of texts waits for; the second begins within itself.
const TEXTS: [&[u8]; 3] = [b"+OK\r\n", b"aabaaac", b"\xff\0"];

struct Script {
    plan: Arc<ScriptPlan>,
    /// The whole script is `TEXTS`.
    texts: bool,
    secure: bool,
}

static SCRIPTS: LazyLock<[Script; 4]> = LazyLock::new(|| {
    let send = |text: &str| Step::Send(text.as_bytes().to_vec());
    let regex = |pattern: &str| Step::ExpectRegex(pattern.to_owned());
    let texts = TEXTS.map(|text| Step::Expect(text.to_vec()));
    let expressions = [
        regex("^220[ -][^\n]*\n"),
        send("EHLO vmpulse\r\n"),
        regex("(^|\n)250 [^\n]*\n"),
        regex("\\b(a|b)*c$"),
    ];
    let upgrade = [
        regex("^220 [^\n]*\n"),
        send("STARTTLS\r\n"),
        regex("^2\\d\\d [^\n]*\n"),
        Step::StartTls,
        Step::Expect(b"ready".to_vec()),
    ];
    [
        script(texts.into(), false),
        script(expressions.into(), false),
        script(upgrade.into(), true),
        script(vec![Step::Expect(b"ready".to_vec())], true),
    ]
});

fn script(steps: Vec<Step>, secure: bool) -> Script {
    let texts = steps.iter().all(|step| matches!(step, Step::Expect(_))) && !secure;
    let spec = ScriptSpec {
        steps,
        tls: secure.then(|| TlsPlan {
            client: TlsClient::insecure(),
            server_name: None,
            certificate_expires_within_days: None,
        }),
        max_bytes: Some(MAX_BYTES as u64),
    };
    Script {
        plan: spec.compile().expect("a valid script"),
        texts,
        secure,
    }
}

pub fn fuzz(data: &[u8]) {
    let Some((variant, step, bytes)) = split(data) else {
        return;
    };
    let variant = usize::from(variant);
    let script = &SCRIPTS[variant % SCRIPTS.len()];
    let end = variant / SCRIPTS.len();
    let whole = feed(&script.plan, bytes.chunks(bytes.len().max(1)), end);
    let cut = feed(&script.plan, bytes.chunks(step), end);
    assert_eq!(whole, cut, "cuts of {step} change the outcome");
    if script.texts {
        let found = finds_all(&bytes[..bytes.len().min(MAX_BYTES)]);
        assert_eq!(whole == Outcome::Ok, found, "as a plain search finds them");
    }
    // Nobody guesses the keys: what came before the encryption must not count as come within it.
    assert!(!(script.secure && whole == Outcome::Ok));
}

fn finds_all(mut bytes: &[u8]) -> bool {
    TEXTS.iter().all(|text| {
        let place = bytes.windows(text.len()).position(|window| window == *text);
        bytes = place.map_or(&[], |place| &bytes[place + text.len()..]);
        place.is_some()
    })
}

fn feed<'a>(plan: &Arc<ScriptPlan>, reads: impl Iterator<Item = &'a [u8]>, end: usize) -> Outcome {
    let options = OpenOptions {
        now_unix_s: 1_700_000_000,
        debug: true,
    };
    let mut conversation =
        ScriptConversation::open(plan, "10.0.0.1", options).expect("a conversation");
    let mut out = Vec::new();
    conversation.pull(&mut out);
    for read in reads {
        if let Progress::Done(result) = conversation.on_bytes(read) {
            return judged(&result);
        }
        out.clear();
        conversation.pull(&mut out);
        assert!(out.len() < 64 * 1024, "it says little by itself");
    }
    judged(&match end % 3 {
        0 => conversation.on_timeout(),
        1 => conversation.on_abort(Reason::ConnectionReset),
        _ => match conversation.on_eof() {
            Progress::Done(result) => *result,
            other => panic!("after the end: {other:?}"),
        },
    })
}

/// Texts for people may show more when more came at once; they stay bounded.
fn judged(result: &ExchangeResult) -> Outcome {
    for text in [&result.message, &result.transcript].into_iter().flatten() {
        assert!(text.len() < 128 * 1024 && !text.contains('\u{1b}'));
    }
    result.outcome
}
