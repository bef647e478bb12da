//! The headers of a request, written without the dynamic table and without Huffman.

/// The headers of a POST, as a block.
pub fn post_block(
    tls: bool,
    authority: &str,
    path: &str,
    content_type: &str,
    user_agent: &str,
) -> Vec<u8> {
    let mut block = Vec::new();
    // Places in the static table: POST; http and https; :path, :authority, content-type and user-agent.
    write_indexed(3, &mut block);
    write_indexed(if tls { 7 } else { 6 }, &mut block);
    write_value(4, path.as_bytes(), &mut block);
    write_value(1, authority.as_bytes(), &mut block);
    write_value(31, content_type.as_bytes(), &mut block);
    write_value(58, user_agent.as_bytes(), &mut block);
    write_field(b"te", b"trailers", &mut block);
    block
}

/// Appends a field that both sides have in the static table.
pub fn write_indexed(index: u8, out: &mut Vec<u8>) {
    out.push(0x80 | index);
}

/// Appends a field that nobody keeps; `name`: its place in the static table.
pub fn write_value(name: u8, value: &[u8], out: &mut Vec<u8>) {
    write_integer(usize::from(name), 4, out);
    write_text(value, out);
}

/// Appends a field that nobody keeps, name and value.
pub fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    write_text(name, out);
    write_text(value, out);
}

pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write_integer(text.len(), 7, out);
    out.extend_from_slice(text);
}

fn write_integer(value: usize, bits: u32, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if value < most {
        out.push(value as u8);
        return;
    }
    out.push(most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
