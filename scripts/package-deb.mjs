// Makes the Debian package of this checkout, from what is built in it: build/deb/vmpulse_VERSION-REVISION_ARCH.deb. Needs no root.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { manPagesOf } from './lib/built-man-pages.mjs';
import { listFiles } from './lib/fresh.mjs';
import { findProgram, run } from './lib/run.mjs';
import { ROOT } from './lib/steps.mjs';

const HELP = `Usage: npm run package:deb [-- --revision N] [-- --fast]

Makes a Debian package in build/deb/ of what is built here (npm ci).

  --revision N  Debian revision, default 1
  --fast        compress little: for tests`;

const OUT = join(ROOT, 'build', 'deb');
const PACKAGING = join(ROOT, 'packaging');
/** What nobody runs. */
const SOURCES = ['native', 'binding.gyp', 'CMakeLists.txt'];
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

async function main() {
  const { values } = parseArgs({
    options: {
      revision: { type: 'string', default: '1' },
      fast: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  if (!/^[A-Za-z0-9.+~]+$/.test(values.revision)) throw new Error(`no Debian revision: ${values.revision}`);
  if (findProgram('dpkg-deb') === undefined) throw new Error('there is no dpkg-deb; install dpkg');
  mkdirSync(OUT, { recursive: true });
  const work = mkdtempSync(join(OUT, 'work-'));
  try {
    const path = await build(work, values);
    console.log(relative(process.cwd(), path));
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function build(work, { revision, fast }) {
  const root = join(work, 'root');
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  await layProgram(work, join(root, 'usr/lib/vmpulse'));
  layLinks(root);
  await layManPages(root);
  await layCompletions(root);
  layPackaging(root);
  const arch = (await run('dpkg', ['--print-architecture'])).trim();
  layControl(root, { version: `${version}-${revision}`, arch });
  const path = join(OUT, `vmpulse_${version}-${revision}_${arch}.deb`);
  await run('dpkg-deb', ['--root-owner-group', '-Zxz', fast ? '-z0' : '-z6', '--build', root, path]);
  return path;
}

/** What npm would publish, with the packages that it needs to run, as they are installed here. */
async function layProgram(work, target) {
  const env = { VMPULSE_SKIP_PREPARE: '1' };
  const packed = (
    await run('npm', ['pack', '--silent', '--pack-destination', work], { cwd: ROOT, env })
  ).trim();
  await run('tar', ['-xzf', join(work, packed.split('\n').at(-1)), '-C', work]);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(join(work, 'package'), target);
  for (const name of SOURCES) rmSync(join(target, name), { recursive: true, force: true });
  // Ends with an error where one is missing.
  const list = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const path of list.trim().split('\n').slice(1)) {
    const nested = (source) => source === path || !source.startsWith(join(path, 'node_modules'));
    cpSync(path, join(target, relative(ROOT, path)), { recursive: true, filter: nested });
  }
}

function layLinks(root) {
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/vmpulse/dist/cli/main.js', join(root, 'usr/bin/vmpulse'));
  const documents = join(root, 'usr/share/doc/vmpulse');
  mkdirSync(documents, { recursive: true });
  cpSync(join(ROOT, 'LICENSE'), join(documents, 'copyright'));
  for (const name of ['README.md', 'CHANGELOG.md']) cpSync(join(ROOT, name), join(documents, name));
  for (const name of ['docs/guides', 'docs/reference', 'docs/runbooks', 'examples/manifests'])
    cpSync(join(ROOT, name), join(documents, name.replace(/^docs\//, '')), { recursive: true });
}

async function layManPages(root) {
  const folder = join(root, 'usr/share/man/man1');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of await manPagesOf(join(root, 'usr/lib/vmpulse')))
    writeFileSync(join(folder, `${name}.gz`), gzipSync(text, { level: 9 }));
}

/** Where each shell looks for what completes a command. */
const COMPLETIONS = {
  bash: 'bash-completion/completions/vmpulse',
  zsh: 'zsh/vendor-completions/_vmpulse',
  fish: 'fish/vendor_completions.d/vmpulse.fish',
};

async function layCompletions(root) {
  const program = join(root, 'usr/lib/vmpulse/dist/cli/main.js');
  for (const [shell, name] of Object.entries(COMPLETIONS)) {
    const path = join(root, 'usr/share', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await run(process.execPath, [program, 'completion', shell]));
  }
}

function layPackaging(root) {
  const units = join(root, 'usr/lib/systemd/system');
  mkdirSync(units, { recursive: true });
  cpSync(join(PACKAGING, 'systemd/vmpulse.service'), join(units, 'vmpulse.service'));
  mkdirSync(join(root, 'etc/vmpulse/vms.d'), { recursive: true });
  // For whoever runs Prometheus and Grafana.
  for (const name of ['prometheus/alerts.yaml', 'grafana/vmpulse.json'])
    cpSync(join(PACKAGING, name), join(root, 'usr/share/vmpulse', name));
}

function layControl(root, { version, arch }) {
  const control = join(root, 'DEBIAN');
  const files = listFiles([root])
    .filter((path) => !lstatSync(path).isSymbolicLink())
    .sort();
  const sizeKiB = Math.ceil(files.reduce((sum, path) => sum + readFileSync(path).length, 0) / 1024);
  const sums = files.map(
    (path) => `${createHash('md5').update(readFileSync(path)).digest('hex')}  ${relative(root, path)}\n`,
  );
  mkdirSync(control);
  writeFileSync(join(control, 'md5sums'), sums.join(''));
  const template = readFileSync(join(PACKAGING, 'debian/control'), 'utf8');
  const words = { version, arch, sizeKiB, glibc: neededGlibc(files) };
  writeFileSync(
    join(control, 'control'),
    template.replace(/@(\w+)@/g, (_, name) => words[name]),
  );
  for (const name of SCRIPTS)
    cpSync(join(PACKAGING, 'debian', name), join(control, name), { mode: undefined });
}

/** The newest version of glibc's symbols that an addon asks for. */
function neededGlibc(files) {
  const versions = files
    .filter((path) => path.endsWith('.node'))
    .flatMap((path) =>
      [...readFileSync(path, 'latin1').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor)),
    );
  return `2.${Math.max(...versions)}`;
}

main().catch((error) => {
  console.error(`package-deb: ${error.message}`);
  process.exitCode = 1;
});
