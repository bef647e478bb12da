import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { hashFiles, listFiles, readStamp, writeStamp } from '../../scripts/lib/fresh.mjs';
import { hangModule } from './hang-module.mjs';
import { GUEST_DIR, IMAGE_SOURCE_DIR, LAB_DIR, LAB_FILES } from './layout.mjs';
import { NewcArchive } from './newc.mjs';
import { fetchParts } from './parts.mjs';

const PARTS_STAMP = join(LAB_DIR, 'stamps', 'parts');
const INITRD_STAMP = join(LAB_DIR, 'stamps', 'initrd');
/** Modules that hang the guest with interrupts off, by what their vCPU then does. */
const HANGS = {
  'hang-spin': [0xfa, 0xeb, 0xfe],
  'hang-halt': [0xfa, 0xf4, 0xeb, 0xfd],
};
/** Not loaded on a VM with PCI. */
const HANG_DONOR = 'pvpanic_mmio.ko';

const PARTS_FACTS = join(LAB_DIR, 'parts.json');

/** Whether `.lab/` has the image of today's sources. */
export function labImageFresh() {
  const built = listFiles([LAB_FILES.kernel, LAB_FILES.initrd, LAB_FILES.facts]).length === 3;
  return built && partsFresh() && readStamp(INITRD_STAMP) === initrdHash();
}

/** Whether only the initrd has to be packed again, which needs no download. */
export function partsFresh() {
  return listFiles([PARTS_FACTS]).length === 1 && readStamp(PARTS_STAMP) === partsHash();
}

/**
 * Builds what is not up to date: the parts (downloaded packages) and the initrd (the guest's sources on top).
 * Files are replaced whole, so VMs can be booted meanwhile.
 *
 * @param {(line: string) => void} log
 */
export async function buildLabImage(log) {
  if (!partsFresh()) {
    const facts = await fetchParts(log);
    writeFileSync(PARTS_FACTS, JSON.stringify(facts));
    writeStamp(PARTS_STAMP, partsHash());
  }
  const facts = JSON.parse(readFileSync(PARTS_FACTS, 'utf8'));
  log('  packing the initrd');
  const hash = initrdHash();
  replaceFile(LAB_FILES.initrd, gzipSync(packInitrd(facts), { level: 1 }));
  const summary = {
    kernel: basename(LAB_FILES.kernel),
    initrd: basename(LAB_FILES.initrd),
    ...facts,
  };
  replaceFile(LAB_FILES.facts, `${JSON.stringify(summary, null, 2)}\n`);
  writeStamp(INITRD_STAMP, hash);
}

function partsHash() {
  return hashFiles(['kernel.mjs', 'modules.mjs', 'parts.mjs'].map((name) => join(IMAGE_SOURCE_DIR, name)));
}

function initrdHash() {
  return hashFiles([PARTS_STAMP, ...listFiles([GUEST_DIR, IMAGE_SOURCE_DIR])]);
}

function packInitrd(facts) {
  const archive = new NewcArchive();
  for (const folder of ['dev', 'proc', 'sys', 'run', 'tmp', 'etc', 'mnt', 'bin', 'sbin'])
    archive.folder(folder);
  archive.characterDevice('dev/console', 5, 1);
  for (const path of listFiles([GUEST_DIR])) {
    const name = path.slice(GUEST_DIR.length + 1);
    const isProgram = readFileSync(path, 'latin1').startsWith('#!');
    archive.file(name, readFileSync(path), isProgram ? 0o755 : 0o644);
  }
  for (const name of readdirSync(join(LAB_FILES.parts, 'bin'))) {
    archive.file(`bin/${name}`, readFileSync(join(LAB_FILES.parts, 'bin', name)), 0o755);
  }
  for (const applet of facts.applets) archive.link(`bin/${applet}`, 'busybox');
  for (const name of readdirSync(join(LAB_FILES.parts, 'lib'))) {
    const folder = name.startsWith('ld-linux') ? 'lib64' : 'lib';
    archive.file(`${folder}/${name}`, readFileSync(join(LAB_FILES.parts, 'lib', name)), 0o755);
  }
  for (const [group, names] of Object.entries(facts.modules)) {
    archive.file(`lib/modules/${group}.order`, `${names.join('\n')}\n`);
  }
  for (const name of readdirSync(join(LAB_FILES.parts, 'modules'))) {
    archive.file(`lib/modules/${name}`, readFileSync(join(LAB_FILES.parts, 'modules', name)));
  }
  const donor = readFileSync(join(LAB_FILES.parts, 'modules', HANG_DONOR));
  for (const [name, instructions] of Object.entries(HANGS)) {
    archive.file(`lib/modules/${name}.ko`, hangModule(donor, instructions));
  }
  return archive.finish();
}

function replaceFile(path, content) {
  mkdirSync(LAB_DIR, { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
