import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { aptDependencies, aptDownload, withPackageLists } from '../../scripts/lib/apt.mjs';
import { listFiles } from '../../scripts/lib/fresh.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { extractVmlinux } from './kernel.mjs';
import { LAB_DIR, LAB_FILES } from './layout.mjs';
import { collectModules } from './modules.mjs';

/** The package whose dependency is today's generic kernel: Debian's name first, then Ubuntu's. */
const KERNEL_METAPACKAGES = ['linux-image-amd64', 'linux-image-generic'];
const KERNEL_PACKAGE = /^linux-(image|modules|modules-extra)-\d/;

/**
 * Downloads the packages that the guest is made of and takes from them what it needs; nothing is installed.
 * The result replaces `.lab/vmlinux` and `.lab/parts/` only when it is whole.
 *
 * @param {(line: string) => void} log
 * @returns {Promise<object>} what was taken: kernel release, package versions, module order
 */
export async function fetchParts(log) {
  mkdirSync(LAB_DIR, { recursive: true });
  const work = mkdtempSync(join(LAB_DIR, 'fetch-'));
  try {
    const versions = await downloadPackages(work, log);
    const root = join(work, 'root');
    log('  unpacking');
    for (const deb of readdirSync(work).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(work, deb), root]);
    }
    const facts = {
      versions,
      ...takeKernel(root, work, log),
      applets: await takePrograms(root, join(work, 'parts')),
    };
    rmSync(LAB_FILES.parts, { recursive: true, force: true });
    renameSync(join(work, 'parts'), LAB_FILES.parts);
    renameSync(join(work, 'vmlinux'), LAB_FILES.kernel);
    return facts;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function downloadPackages(work, log) {
  await withPackageLists(log, async () => {
    const packages = [...(await kernelPackages()), 'qemu-guest-agent', 'busybox-static'];
    await aptDownload(packages, work, log);
  });
  const versions = {};
  for (const deb of readdirSync(work)) {
    const fields = await run('dpkg-deb', ['-f', join(work, deb), 'Package', 'Version']);
    const name = /^Package: (.+)$/m.exec(fields)?.[1];
    if (name !== undefined) versions[name] = /^Version: (.+)$/m.exec(fields)?.[1] ?? 'unknown';
  }
  return versions;
}

async function kernelPackages() {
  for (const meta of KERNEL_METAPACKAGES) {
    const direct = (await aptDependencies(meta)).filter((name) => KERNEL_PACKAGE.test(name));
    const image = direct.find((name) => name.startsWith('linux-image-'));
    if (image === undefined) continue;
    const further = (await aptDependencies(image)).filter((name) => KERNEL_PACKAGE.test(name));
    return [...new Set([...direct, ...further])];
  }
  throw new Error(
    `apt knows none of ${KERNEL_METAPACKAGES.join(', ')}: enable the main component of your distribution`,
  );
}

function takeKernel(root, work, log) {
  const image = listFiles([join(root, 'boot')]).find((path) => basename(path).startsWith('vmlinuz-'));
  if (image === undefined) throw new Error('the kernel package has no boot/vmlinuz-*');
  const release = basename(image).slice('vmlinuz-'.length);
  log(`  decompressing Linux ${release}`);
  writeFileSync(join(work, 'vmlinux'), extractVmlinux(readFileSync(image)));

  const folder = [join(root, 'lib/modules', release), join(root, 'usr/lib/modules', release)].find(
    (path) => listFiles([join(path, 'modules.builtin')]).length > 0,
  );
  if (folder === undefined) throw new Error(`the kernel packages have no modules for ${release}`);
  const { order, files } = collectModules(folder);
  mkdirSync(join(work, 'parts/modules'), { recursive: true });
  for (const [name, content] of files) writeFileSync(join(work, 'parts/modules', `${name}.ko`), content);
  return { release, modules: order };
}

/** Takes busybox and the guest agent with its libraries; returns the names that busybox answers to. */
async function takePrograms(root, parts) {
  const programs = ['usr/sbin/qemu-ga', 'bin/busybox', 'usr/bin/busybox'];
  mkdirSync(join(parts, 'bin'), { recursive: true });
  mkdirSync(join(parts, 'lib'), { recursive: true });
  for (const path of listFiles(programs.map((program) => join(root, program)))) {
    copyFileSync(path, join(parts, 'bin', basename(path)));
  }
  // The agent's libraries are those of this host: QEMU needs the same ones, so they are here where VMs run.
  const libraries = await run('ldd', [join(parts, 'bin/qemu-ga')]);
  const absent = [...libraries.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (absent.length > 0)
    throw new Error(`the guest agent lacks ${absent.join(', ')}: install qemu-system-x86`);
  for (const [, path] of libraries.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)) {
    copyFileSync(path, join(parts, 'lib', basename(path)));
  }
  const applets = (await run(join(parts, 'bin/busybox'), ['--list'])).trim().split('\n');
  // The guest's own svc is another thing than busybox's.
  return applets.filter((name) => name !== 'busybox' && name !== 'svc');
}
