//! The Huffman code of HPACK (RFC 7541, appendix B).

/// Bits of the code of each octet, and of the end. The code is canonical: shorter codes come first, equally long ones in
/// the order of their octets, so the lengths say it all.
const BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const LONGEST: usize = 30;
const END: u16 = 256;

struct Code {
    /// By length: the first code, how many there are, and where their symbols begin.
    first: [u32; LONGEST + 1],
    count: [u32; LONGEST + 1],
    start: [usize; LONGEST + 1],
    symbols: [u16; 257],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut code = Code {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        start: [0; LONGEST + 1],
        symbols: [0; 257],
    };
    let (mut next, mut placed, mut bits) = (0, 0, 1);
    while bits <= LONGEST {
        code.first[bits] = next;
        code.start[bits] = placed;
        let mut symbol = 0;
        while symbol < BITS.len() {
            if BITS[symbol] as usize == bits {
                code.symbols[placed] = symbol as u16;
                placed += 1;
                code.count[bits] += 1;
            }
            symbol += 1;
        }
        next = (next + code.count[bits]) << 1;
        bits += 1;
    }
    code
}

/// Appends what the bytes stand for, at most 8/5 of their number; `None`: they are no such text.
pub fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut code, mut bits) = (0u32, 0usize);
    for byte in bytes {
        for shift in (0..8).rev() {
            code = code << 1 | u32::from(byte >> shift & 1);
            bits += 1;
            let place = code.wrapping_sub(CODE.first[bits]);
            if place < CODE.count[bits] {
                let symbol = CODE.symbols[CODE.start[bits] + place as usize];
                if symbol == END {
                    return None;
                }
                out.push(symbol as u8);
                (code, bits) = (0, 0);
            }
        }
    }
    // The last octet is filled up with the beginning of the end's code, which is all ones.
    (bits < 8 && code == (1 << bits) - 1).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of `bytes`, from the same lengths.
    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut bits = Vec::new();
        for &byte in bytes {
            let length = usize::from(BITS[usize::from(byte)]);
            let start = CODE.start[length];
            let place = CODE.symbols[start..]
                .iter()
                .position(|&symbol| symbol == u16::from(byte));
            let code = CODE.first[length] + u32::try_from(place.unwrap()).unwrap();
            bits.extend((0..length).rev().map(|shift| (code >> shift & 1) as u8));
        }
        bits.resize(bits.len().next_multiple_of(8), 1);
        bits.chunks(8)
            .map(|octet| octet.iter().fold(0, |byte, bit| byte << 1 | bit))
            .collect()
    }

    fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        for (bytes, text) in [
            (
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x64, 0x02], "302"),
            (&[], ""),
        ] {
            assert_eq!(decoded(bytes).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn other_endings_are_refused() {
        // The end itself; more than seven bits of it; zeros.
        for bytes in [
            &[0xff, 0xff, 0xff, 0xff][..],
            &[0x64, 0x02, 0xff],
            &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xb0],
        ] {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_octet_has_its_code(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(decoded(&encode(&bytes)), Some(bytes));
        }
    }
}
