import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLabImage, labImageFresh, partsFresh } from '../../lab/image/build.mjs';
import { aptInstall, aptRefusal, installCommand } from './apt.mjs';
import { hashFiles, isFresh, listFiles, writeStamp } from './fresh.mjs';
import { prometheusPresent, unpackPrometheus } from './prometheus.mjs';
import { findProgram, run } from './run.mjs';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const STAMPS = join(ROOT, '.lab', 'stamps');

/** Where each native addon is built. */
export const ADDONS = {
  kernel: join(ROOT, 'build-cmake', 'Release', 'kernel.node'),
  engine: join(ROOT, 'native', 'engine', 'build', 'engine.node'),
};

/** The guest agent, a static program. */
export const AGENT = join(ROOT, 'native', 'agent', 'build', 'vmpulse-agent');

/** A step cannot be done here; `fix` is what the user types or does about it. */
export class StepMissing extends Error {
  constructor(reason, fix) {
    super(reason);
    this.name = 'StepMissing';
    this.fix = fix;
  }
}

/**
 * The steps of set-up in their order. `fresh()` costs milliseconds; `make()` does the work or throws.
 * A step whose `needs` are missing is not tried.
 */
export const STEPS = [
  {
    name: 'cxx',
    title: 'C++ compiler and CMake',
    group: 'build',
    needs: [],
    fresh: () => builtFresh() || missingPackages(TOOLCHAIN).length === 0,
    make: (log) => {
      refuseSkipped();
      return installPrograms(TOOLCHAIN, log);
    },
  },
  {
    name: 'rust',
    title: 'Rust compiler',
    group: 'build',
    needs: [],
    fresh: () => (isFresh(engine()) && isFresh(agent())) || findProgram('cargo') !== undefined,
    make: () => {
      refuseSkipped();
      throw new StepMissing('no Rust compiler (cargo)', 'install Rust 1.88 or newer, https://rustup.rs');
    },
  },
  {
    name: 'dependencies',
    title: 'npm dependencies',
    group: 'build',
    needs: [],
    fresh: () => isFresh(dependencies()),
    make: async (log) => {
      // Its prepare script would do the next steps; here they are steps of their own, with their own report.
      const env = { VMPULSE_SKIP_PREPARE: '1' };
      // Nor do dependencies need theirs: they would only build optional native parts, for minutes.
      await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: ROOT,
        env,
        log,
        deadlineMs: 1_800_000,
      });
      stamp(dependencies());
    },
  },
  {
    name: 'kernel-addon',
    title: 'kernel addon',
    group: 'build',
    needs: ['dependencies', 'cxx'],
    fresh: () => isFresh(kernel()),
    make: async (log) => {
      refuseSkipped();
      await run('npm', ['run', 'build:kernel'], { cwd: ROOT, log, deadlineMs: 1_800_000 });
      stamp(kernel());
    },
  },
  {
    name: 'engine-addon',
    title: 'engine addon',
    group: 'build',
    // Rust links with the C compiler.
    needs: ['dependencies', 'cxx', 'rust'],
    fresh: () => isFresh(engine()),
    make: async (log) => {
      refuseSkipped();
      await run('npm', ['run', 'build:engine'], { cwd: ROOT, log, deadlineMs: 1_800_000 });
      stamp(engine());
    },
  },
  {
    name: 'agent',
    title: 'guest agent',
    group: 'build',
    needs: ['cxx', 'rust'],
    fresh: () => isFresh(agent()),
    make: async (log) => {
      refuseSkipped();
      await run('npm', ['run', 'build:agent'], { cwd: ROOT, log, deadlineMs: 1_800_000 });
      stamp(agent());
    },
  },
  {
    name: 'typescript',
    title: 'TypeScript build',
    group: 'build',
    needs: ['dependencies'],
    fresh: () => isFresh(typescript()),
    make: async (log) => {
      await run('npm', ['run', 'build'], { cwd: ROOT, log });
      stamp(typescript());
    },
  },
  {
    name: 'hypervisor',
    title: 'QEMU and network tools',
    group: 'lab',
    needs: [],
    fresh: () => missingPackages(HYPERVISOR).length === 0,
    make: (log) => installPrograms(HYPERVISOR, log),
  },
  {
    name: 'lab-image',
    title: 'lab VM image',
    group: 'lab',
    needs: ['hypervisor'],
    fresh: labImageFresh,
    make: async (log) => {
      const refusal = partsFresh() ? undefined : imageRefusal();
      if (refusal !== undefined) throw new StepMissing(refusal.reason, refusal.fix);
      await buildLabImage(log);
    },
  },
  {
    name: 'ci-tools',
    title: 'tools for checks',
    group: 'ci',
    needs: [],
    fresh: () => missingPackages(CI_TOOLS).length === 0,
    make: (log) => installPrograms(CI_TOOLS, log),
  },
  {
    name: 'prometheus',
    title: 'Prometheus, unpacked, for the tests of alerts',
    group: 'ci',
    needs: [],
    fresh: prometheusPresent,
    make: (log) => {
      const refusal = aptRefusal({ asRoot: false });
      if (refusal !== undefined)
        throw new StepMissing(`Prometheus is not unpacked, and ${refusal}`, installCommand(['prometheus']));
      return unpackPrometheus(log);
    },
  },
];

/** What is looked for, and the Debian package that has it. */
const TOOLCHAIN = { 'c++': 'g++', cmake: 'cmake', make: 'make' };
const HYPERVISOR = {
  'qemu-system-x86_64': 'qemu-system-x86',
  ip: 'iproute2',
  // What the kernel and its modules are packed with.
  ...(isUbuntu() ? { zstd: 'zstd' } : { xz: 'xz-utils' }),
};
const CI_TOOLS = {
  ...TOOLCHAIN,
  'clang-format': 'clang-format',
  '/usr/src/googletest/CMakeLists.txt': 'libgtest-dev',
  haproxy: 'haproxy',
  // A real server for the tests of ssh probes; they start one of their own.
  '/usr/sbin/sshd': 'openssh-server',
  'ssh-keygen': 'openssh-client',
  // What makes the cloud-init disks of VMs.
  xorriso: 'xorriso',
  genisoimage: 'genisoimage',
  // Reads the snapshots inside disks.
  'qemu-img': 'qemu-utils',
  // A real service manager for the tests of the unit; they run it in a container.
  '/lib/systemd/systemd': 'systemd',
  // What the libvirt driver is tested against; the tests start a libvirtd of their own.
  '/usr/sbin/libvirtd': 'libvirt-daemon',
  virsh: 'libvirt-clients',
  [`/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so`]:
    'libvirt-daemon-driver-qemu',
  // What begins the tracking of connections in a test's own namespace.
  nft: 'nftables',
};

function isUbuntu() {
  const path = '/etc/os-release';
  return existsSync(path) && /^ID=ubuntu$/m.test(readFileSync(path, 'utf8'));
}

function refuseSkipped() {
  if (process.env.VMPULSE_SKIP_NATIVE !== '1') return;
  throw new StepMissing('VMPULSE_SKIP_NATIVE=1 leaves them out', 'unset VMPULSE_SKIP_NATIVE');
}

function missingPackages(programs) {
  return Object.entries(programs)
    .filter(([program]) =>
      program.startsWith('/') ? !existsSync(program) : findProgram(program) === undefined,
    )
    .map(([, name]) => name);
}

async function installPrograms(programs, log) {
  const packages = missingPackages(programs);
  if (packages.length === 0) return;
  const refusal = aptRefusal({ asRoot: true });
  if (refusal !== undefined) {
    throw new StepMissing(`${packages.join(', ')} not installed, and ${refusal}`, installCommand(packages));
  }
  await aptInstall(packages, log);
  const still = missingPackages(programs);
  if (still.length > 0)
    throw new StepMissing(`${still.join(', ')} installed, but not found`, installCommand(still));
}

function imageRefusal() {
  if (process.arch !== 'x64') return { reason: 'the lab VMs are x86-64 only', fix: 'use an x86-64 host' };
  const refusal = aptRefusal({ asRoot: false });
  if (refusal === undefined) return undefined;
  return {
    reason: `the guest's packages are not downloaded, and ${refusal}`,
    fix: 'node scripts/setup.mjs (with apt)',
  };
}

function dependencies() {
  return {
    inputs: [join(ROOT, 'package-lock.json')],
    outputs: [join(ROOT, 'node_modules/.package-lock.json')],
    stamp: join(STAMPS, 'dependencies'),
    trustTimes: true,
  };
}

function kernel() {
  return {
    inputs: sourcesOf(['native/kernel', 'CMakeLists.txt', 'binding.gyp']),
    outputs: [ADDONS.kernel],
    stamp: join(STAMPS, 'kernel-addon'),
    trustTimes: true,
  };
}

function engine() {
  return {
    inputs: sourcesOf(['native/engine', 'Cargo.toml', 'Cargo.lock']),
    outputs: [ADDONS.engine],
    stamp: join(STAMPS, 'engine-addon'),
    trustTimes: true,
  };
}

/** Files of an addon's sources. */
function sourcesOf(names) {
  const skip = (name) => ['target', 'test', 'tests'].includes(name) || /^build|\.node$/.test(name);
  return listFiles(
    names.map((name) => join(ROOT, name)),
    skip,
  );
}

function agent() {
  const sources = ['native/agent', 'Cargo.toml', 'Cargo.lock', 'scripts/build-agent.mjs'];
  return {
    inputs: listFiles(
      sources.map((name) => join(ROOT, name)),
      (name) => name === 'build',
    ),
    outputs: [AGENT],
    stamp: join(STAMPS, 'agent'),
    trustTimes: true,
  };
}

/** Whatever a compiler is needed for is there. */
function builtFresh() {
  return [kernel(), engine(), agent()].every(isFresh);
}

function typescript() {
  const sources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  return {
    inputs: listFiles(sources.map((name) => join(ROOT, name))),
    outputs: [join(ROOT, 'dist/.tsbuildinfo')],
    stamp: join(STAMPS, 'typescript'),
    trustTimes: false,
  };
}

function stamp({ inputs, stamp: path }) {
  writeStamp(path, hashFiles(inputs));
}
