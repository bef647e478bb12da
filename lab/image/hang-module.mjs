/** Relocation that changes nothing, with no symbol. */
const R_X86_64_NONE = 0n;
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);
const CALL = 0xe8;
const CALL_BYTES = 5;
const SIGNATURE_MARK = '~Module signature appended~\n';
/** struct module_signature, whose last four bytes are the length of the signature, big-endian. */
const SIGNATURE_FACTS_BYTES = 12;

/**
 * A kernel module that hangs the machine when it is loaded: another module of the same kernel whose first instructions are
 * replaced. No headers and no compiler are needed, and it fits the kernel whatever its version.
 *
 * @param {Buffer} donor an x86-64 module that is not loaded otherwise
 * @param {readonly number[]} instructions what its init function begins with
 * @returns {Buffer}
 */
export function hangModule(donor, instructions) {
  const module = withoutSignature(donor);
  const sections = readSections(module);
  const init = findSymbol(module, sections, 'init_module');
  const code = sections[init.section];
  let at = init.value;
  const bytesAt = (offset, length) => module.subarray(code.offset + offset, code.offset + offset + length);
  // What the kernel itself looks at stays: the landing pad and the call that tracing replaces.
  if (bytesAt(at, ENDBR64.length).equals(ENDBR64)) at += ENDBR64.length;
  if (bytesAt(at, 1)[0] === CALL) at += CALL_BYTES;
  if (at + instructions.length > init.value + init.size)
    throw new Error('the init function of the donor is too short');
  Buffer.from(instructions).copy(module, code.offset + at);
  dropRelocations(module, sections, init.section, at, instructions.length);
  return module;
}

/** A module that is not signed is taken; one whose signature does not fit is refused. */
function withoutSignature(module) {
  const mark = module.length - SIGNATURE_MARK.length;
  if (module.toString('latin1', mark) !== SIGNATURE_MARK) return Buffer.from(module);
  const facts = mark - SIGNATURE_FACTS_BYTES;
  return Buffer.from(module.subarray(0, facts - module.readUInt32BE(mark - 4)));
}

function readSections(elf) {
  const offset = Number(elf.readBigUInt64LE(0x28));
  const size = elf.readUInt16LE(0x3a);
  const count = elf.readUInt16LE(0x3c);
  return Array.from({ length: count }, (_, index) => {
    const at = offset + index * size;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 0x18)),
      size: Number(elf.readBigUInt64LE(at + 0x20)),
      link: elf.readUInt32LE(at + 0x28),
      info: elf.readUInt32LE(at + 0x2c),
      entrySize: Number(elf.readBigUInt64LE(at + 0x38)),
    };
  });
}

function findSymbol(elf, sections, name) {
  const symbols = sections.find(({ type }) => type === SHT_SYMTAB);
  if (symbols === undefined) throw new Error('the donor has no symbols');
  const names = sections[symbols.link];
  for (let at = symbols.offset; at < symbols.offset + symbols.size; at += symbols.entrySize) {
    const start = names.offset + elf.readUInt32LE(at);
    if (elf.toString('latin1', start, elf.indexOf(0, start)) !== name) continue;
    return {
      section: elf.readUInt16LE(at + 6),
      value: Number(elf.readBigUInt64LE(at + 8)),
      size: Number(elf.readBigUInt64LE(at + 16)),
    };
  }
  throw new Error(`the donor has no symbol ${name}`);
}

/** Addresses of 32 bits that the loader would write over the new instructions. */
function dropRelocations(elf, sections, section, from, length) {
  for (const table of sections.filter(({ type, info }) => type === SHT_RELA && info === section)) {
    for (let at = table.offset; at < table.offset + table.size; at += table.entrySize) {
      const target = Number(elf.readBigUInt64LE(at));
      if (target < from + length && target + 4 > from) elf.writeBigUInt64LE(R_X86_64_NONE, at + 8);
    }
  }
}
