//! Reads the dates of an X.509 certificate: the one thing that the TLS library keeps to itself.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Begin and end of validity, seconds since 1970; `None` if the bytes are no certificate.
pub fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let (mut certificate, _) = expect(certificate, SEQUENCE)?;
    (certificate, _) = expect(certificate, SEQUENCE)?;
    let mut rest = certificate;
    if rest.first() == Some(&VERSION) {
        (_, rest) = expect(rest, VERSION)?;
    }
    // Serial number, signature algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, rest) = expect(rest, tag)?;
    }
    let (dates, _) = expect(rest, SEQUENCE)?;
    let (not_before, dates) = time(dates)?;
    let (not_after, _) = time(dates)?;
    Some((not_before, not_after))
}

/// The content of an element of the tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        // A certificate is far below 16 MiB; an indefinite length (no digits) is not DER.
        if digits.is_empty() || digits.len() > 3 {
            return None;
        }
        (
            digits
                .iter()
                .fold(0, |length, &digit| length << 8 | usize::from(digit)),
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, text, rest) = element(bytes)?;
    let text = text.strip_suffix(b"Z")?;
    if text.len() % 2 != 0 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let pairs: Vec<i64> = text
        .chunks_exact(2)
        .map(|pair| i64::from(pair[0] - b'0') * 10 + i64::from(pair[1] - b'0'))
        .collect();
    let (year, fields) = match (tag, pairs.as_slice()) {
        // RFC 5280: two digits mean 1950 to 2049.
        (UTC_TIME, [year, fields @ ..]) => (year + if *year < 50 { 2000 } else { 1900 }, fields),
        (GENERALIZED_TIME, [century, year, fields @ ..]) => (century * 100 + year, fields),
        _ => return None,
    };
    let [
        month @ 1..=12,
        day @ 1..=31,
        hour @ 0..=23,
        minute @ 0..=59,
        second @ 0..=59,
    ] = *fields
    else {
        return None;
    };
    Some((
        days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second,
        rest,
    ))
}

/// Days of the proleptic Gregorian calendar, by counting from March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tag: u8, text: &str) -> Option<i64> {
        let length = u8::try_from(text.len()).unwrap();
        time(&[&[tag, length], text.as_bytes()].concat()).map(|(seconds, _)| seconds)
    }

    #[test]
    fn reads_dates() {
        assert_eq!(at(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(at(UTC_TIME, "000229235959Z"), Some(951_868_799));
        assert_eq!(at(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(at(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(
            at(GENERALIZED_TIME, "99991231235959Z"),
            Some(253_402_300_799)
        );
        assert_eq!(at(GENERALIZED_TIME, "20500301000000Z"), Some(2_529_705_600));
        for bad in [
            "",
            "Z",
            "7001010000Z",
            "701301000000Z",
            "70010100000xZ",
            "700101000000",
            "70010100000Z",
        ] {
            assert_eq!(at(UTC_TIME, bad), None, "{bad}");
        }
        assert_eq!(at(INTEGER, "700101000000Z"), None);
    }

    #[test]
    fn reads_a_certificate_and_survives_each_cut_of_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2060, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let der = certificate.der();
        assert_eq!(validity(der), Some((981_158_400, 2_840_140_800)));
        for length in 0..der.len() {
            assert_eq!(validity(&der[..length]), None);
        }
    }
}
