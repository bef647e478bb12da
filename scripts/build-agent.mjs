// Builds the guest agent as one static program, native/agent/build/vmpulse-agent, and refuses one that has grown too large.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AGENT, ROOT } from './lib/steps.mjs';

const MAX_BYTES = 2 * 1024 * 1024;
// glibc's own static library: a musl target would have to be installed first.
const TRIPLE = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
/** Program header of an ELF file that names a dynamic loader. */
const PT_INTERP = 3;

const args = ['build', '-p', 'vmpulse-agent', '--profile', 'agent', '--target', TRIPLE, '--locked'];
const env = { ...process.env, RUSTFLAGS: '-C target-feature=+crt-static' };
const { status } = spawnSync('cargo', args, { cwd: ROOT, env, stdio: 'inherit' });
if (status !== 0) process.exit(1);

const built = join(ROOT, 'target', TRIPLE, 'agent', 'vmpulse-agent');
const { size } = statSync(built);
if (size > MAX_BYTES) throw new Error(`the agent has ${size} bytes, ${MAX_BYTES} are its limit`);
if (isDynamic(readFileSync(built))) throw new Error('the agent needs a dynamic loader: it is not static');
mkdirSync(dirname(AGENT), { recursive: true });
copyFileSync(built, AGENT);
chmodSync(AGENT, 0o755);
console.log(`native/agent/build/vmpulse-agent: ${size} bytes, static`);

function isDynamic(elf) {
  const start = Number(elf.readBigUInt64LE(0x20));
  const [length, count] = [elf.readUInt16LE(0x36), elf.readUInt16LE(0x38)];
  return Array.from({ length: count }, (_, i) => elf.readUInt32LE(start + i * length)).includes(PT_INTERP);
}
