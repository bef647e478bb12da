//! Header compression (RFC 7541): a decoder with bounds.

use super::huffman;
use super::static_table::STATIC;
use std::collections::VecDeque;

/// What an entry of a table or a list counts besides its bytes.
const OVERHEAD: usize = 32;
/// Size of the dynamic table; the value that holds where nobody says another.
const MAX_TABLE: usize = 4096;
/// Size of a header list, which peers are told.
pub const MAX_LIST: usize = 16 * 1024;

/// Name and value.
pub type Field = (Box<[u8]>, Box<[u8]>);

/// One decoded header list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<Field>);

impl Fields {
    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|field| *field.0 == *name.as_bytes());
        found.map(|field| &*field.1)
    }
}

/// Why a block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HpackError {
    Malformed,
    /// The list is larger than [`MAX_LIST`].
    TooLarge,
}

use HpackError::{Malformed, TooLarge};

/// One side's table over the blocks of a connection.
#[derive(Debug)]
pub struct Decoder {
    /// Newest first.
    table: VecDeque<Field>,
    size: usize,
    max_size: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            max_size: MAX_TABLE,
        }
    }
}

impl Decoder {
    /// Reads a whole block.
    pub fn decode(&mut self, mut block: &[u8]) -> Result<Fields, HpackError> {
        let mut fields = Fields::default();
        let mut list = 0;
        while let Some(&first) = block.first() {
            let field = match first {
                0x80.. => self.entry(integer(&mut block, 7)?)?,
                0x40.. => {
                    let field = self.literal(&mut block, 6)?;
                    self.insert(field.clone());
                    field
                }
                0x20.. if fields.0.is_empty() => {
                    let size = integer(&mut block, 5)?;
                    if size > MAX_TABLE {
                        return Err(Malformed);
                    }
                    self.max_size = size;
                    self.evict(0);
                    continue;
                }
                0x20.. => return Err(Malformed),
                _ => self.literal(&mut block, 4)?,
            };
            list += size_of(&field);
            if list > MAX_LIST {
                return Err(TooLarge);
            }
            fields.0.push(field);
        }
        Ok(fields)
    }

    fn entry(&self, index: usize) -> Result<Field, HpackError> {
        let index = index.checked_sub(1).ok_or(Malformed)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Ok((name.as_bytes().into(), value.as_bytes().into()));
        }
        let entry = self.table.get(index - STATIC.len());
        entry.cloned().ok_or(Malformed)
    }

    /// A field whose name may be an index of so many bits.
    fn literal(&self, block: &mut &[u8], bits: u32) -> Result<Field, HpackError> {
        let name = match integer(block, bits)? {
            0 => text(block)?,
            index => self.entry(index)?.0,
        };
        Ok((name, text(block)?))
    }

    fn insert(&mut self, field: Field) {
        let size = size_of(&field);
        self.evict(size);
        // One that is larger than the table empties it.
        if size <= self.max_size {
            self.size += size;
            self.table.push_front(field);
        }
    }

    fn evict(&mut self, room: usize) {
        while self.size + room > self.max_size {
            let Some(oldest) = self.table.pop_back() else {
                return;
            };
            self.size -= size_of(&oldest);
        }
    }
}

fn size_of((name, value): &Field) -> usize {
    name.len() + value.len() + OVERHEAD
}

fn byte(block: &mut &[u8]) -> Result<u8, HpackError> {
    let (&first, rest) = block.split_first().ok_or(Malformed)?;
    *block = rest;
    Ok(first)
}

/// An integer whose first octet gives it so many bits; at most 2^21, more than anything here may be.
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, HpackError> {
    let most = (1 << bits) - 1;
    let mut value = usize::from(byte(block)?) & most;
    if value < most {
        return Ok(value);
    }
    for shift in [0, 7, 14] {
        let next = byte(block)?;
        value += usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn text(block: &mut &[u8]) -> Result<Box<[u8]>, HpackError> {
    let coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(Malformed)?;
    *block = rest;
    if !coded {
        return Ok(bytes.into());
    }
    let mut out = Vec::new();
    huffman::decode(bytes, &mut out).ok_or(Malformed)?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::super::request::{write_field, write_indexed, write_text, write_value};
    use super::*;
    use proptest::prelude::*;

    fn shown(fields: &Fields) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = |(name, value): &Field| format!("{}: {}", text(name), text(value));
        fields.0.iter().map(line).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .chars()
            .filter_map(|digit| digit.to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    /// RFC 7541, C.6: three responses, Huffman coded, with a table of 256 octets that evicts.
    #[test]
    fn the_examples_of_the_specification_are_read() {
        let mut decoder = Decoder {
            max_size: 256,
            ..Decoder::default()
        };
        let first = bytes(
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
             2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        );
        let third = bytes(
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab \
             77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f \
             9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        );
        assert_eq!(
            shown(&decoder.decode(&first).unwrap()),
            [
                ":status: 302",
                "cache-control: private",
                "date: Mon, 21 Oct 2013 20:13:21 GMT",
                "location: https://www.example.com",
            ]
        );
        let second = decoder.decode(&bytes("4883 640e ffc1 c0bf")).unwrap();
        assert_eq!(shown(&second)[0], ":status: 307");
        assert_eq!(decoder.size, 222);
        let third = shown(&decoder.decode(&third).unwrap());
        assert_eq!(third[0], ":status: 200");
        assert_eq!(third[3], "location: https://www.example.com");
        assert_eq!(
            third[5],
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
        );
        assert_eq!((decoder.size, decoder.table.len()), (215, 3));
    }

    #[test]
    fn a_small_block_cannot_become_a_large_list() {
        let mut block = vec![0x40];
        write_text(b"x", &mut block);
        write_text(&[b'y'; 3000], &mut block);
        block.extend([0xbe; 100]);
        assert_eq!(Decoder::default().decode(&block), Err(TooLarge));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for block in [
            &[0x80][..],
            &[0xbe],
            &[0x00, 0x01],
            &[0x0f],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x88, 0x20],
            &[0x3f, 0xe2, 0x1f],
            &[0x00, 0x81, 0x00, 0x00],
        ] {
            assert_eq!(
                Decoder::default().decode(block),
                Err(Malformed),
                "{block:?}"
            );
        }
        assert!(Decoder::default().decode(&[0x3f, 0xe1, 0x1f, 0x88]).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "[a-z]{1,300}", value in "[ -~]{0,300}") {
            let mut block = Vec::new();
            write_indexed(8, &mut block);
            write_value(31, value.as_bytes(), &mut block);
            write_field(name.as_bytes(), value.as_bytes(), &mut block);
            let fields = Decoder::default().decode(&block).unwrap();
            prop_assert_eq!(fields.get(":status"), Some(&b"200"[..]));
            prop_assert_eq!(fields.get("content-type"), Some(value.as_bytes()));
            prop_assert_eq!(fields.0.len(), 3);
            prop_assert_eq!(&*fields.0[2].0, name.as_bytes());
        }

        #[test]
        fn the_table_stays_within_its_bounds(
            blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8),
        ) {
            let mut decoder = Decoder::default();
            for block in blocks {
                let _ = decoder.decode(&block);
                let size: usize = decoder.table.iter().map(size_of).sum();
                prop_assert_eq!(size, decoder.size);
                prop_assert!(size <= decoder.max_size && decoder.max_size <= MAX_TABLE);
            }
        }
    }
}
