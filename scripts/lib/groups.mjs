import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { chaosObstacle } from '../../chaos/obstacle.mjs';
import { systemdObstacle } from '../../lab/systemd.mjs';
import { labAvailable } from '../../lab/vm.mjs';
import { aptRefusal } from './apt.mjs';
import { listFiles } from './fresh.mjs';
import { readCargo, readChaos, readCtest, readFuzz, readVitest } from './reports.mjs';
import { findProgram } from './run.mjs';
import { ROOT } from './steps.mjs';

const REPORTS = join(ROOT, 'reports');
const GOOGLETEST = ['/usr/src/googletest/CMakeLists.txt', '/usr/include/gtest/gtest.h'];
const BUILD_ASAN = join(ROOT, 'build-asan');

/**
 * The groups of tests. `commands` run in order until one fails; `report` is a file, or `undefined` where the
 * output of the last command is the report. `obstacle` says why the group cannot run here: `fatal` if that is
 * a failure of the whole run, as nothing here hinders the group but a fault.
 */
export const GROUPS = [
  vitestGroup('unit', ['test/unit', 'test/config', 'test/tidy'], () => undefined),
  vitestGroup('native', ['test/native'], addonsObstacle),
  {
    name: 'cargo',
    commands: [['cargo', 'test', '--workspace', '--locked', '--no-fail-fast']],
    report: undefined,
    read: readCargo,
    obstacle: () =>
      findProgram('cargo') === undefined ? leftOut('there is no cargo: https://rustup.rs') : undefined,
  },
  {
    name: 'ctest',
    commands: [
      ['cmake', '-S', ROOT, '-B', BUILD_ASAN, '-DVMPULSE_SANITIZE=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo'],
      ['cmake', '--build', BUILD_ASAN, '--parallel', '2'],
      [
        'ctest',
        '--test-dir',
        BUILD_ASAN,
        '--output-on-failure',
        '--output-junit',
        join(REPORTS, 'ctest.xml'),
      ],
    ],
    report: join(REPORTS, 'ctest.xml'),
    read: readCtest,
    obstacle: (_report, { ci }) => {
      if (findProgram('cmake') !== undefined && GOOGLETEST.some(existsSync)) return undefined;
      const reason = 'CMake or GoogleTest is not installed: node scripts/setup.mjs --ci';
      return ci ? fatal(reason) : leftOut(reason);
    },
  },
  {
    name: 'fuzz',
    commands: [[process.execPath, join(ROOT, 'scripts/fuzz.mjs'), '--json', join(REPORTS, 'fuzz.json')]],
    report: join(REPORTS, 'fuzz.json'),
    read: readFuzz,
    obstacle: () => {
      const missing = ['cargo', 'c++'].find((program) => findProgram(program) === undefined);
      return missing === undefined
        ? undefined
        : leftOut(`there is no ${missing}, which libFuzzer is built with`);
    },
  },
  vitestGroup('vm', ['test/lab', 'test/e2e'], vmObstacle),
  vitestGroup('systemd', ['test/systemd'], (_report, { ci }) => {
    const why = systemdObstacle();
    if (why === undefined) return vmObstacle();
    return ci && process.getuid?.() === 0 ? fatal(why) : leftOut(why);
  }),
  {
    name: 'chaos',
    commands: [
      [
        process.execPath,
        join(ROOT, 'chaos/main.mjs'),
        ...['--vms', '4', '--faults', '12', '--seed', '1', '--json', join(REPORTS, 'chaos.json')],
      ],
    ],
    report: join(REPORTS, 'chaos.json'),
    read: readChaos,
    obstacle: () => {
      const why = chaosObstacle();
      return why === undefined ? undefined : (vmObstacle() ?? leftOut(why));
    },
  },
];

/**
 * Test files that no group would run.
 *
 * @returns {string[]} relative to the root
 */
export function filesOfNoGroup() {
  const folders = GROUPS.flatMap((group) => group.folders ?? []);
  return listFiles([join(ROOT, 'test')])
    .map((path) => relative(ROOT, path))
    .filter((path) => path.endsWith('.test.ts') && !folders.some((folder) => path.startsWith(`${folder}/`)));
}

function vitestGroup(name, folders, obstacle) {
  const report = join(REPORTS, `${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  return {
    name,
    folders,
    commands: [
      [
        process.execPath,
        join(ROOT, 'node_modules/vitest/vitest.mjs'),
        'run',
        ...folders.map((f) => `${f}/`),
        ...reporters,
      ],
    ],
    report,
    read: readVitest,
    obstacle,
  };
}

function addonsObstacle(report) {
  const missing = (names) => names.filter((name) => report[name]?.state === 'missing');
  const addons = missing(['kernel-addon', 'engine-addon']);
  if (addons.length === 0) return undefined;
  const reason = addons.map((name) => `no ${name}: ${report[name].reason}`).join('; ');
  return missing(['cxx', 'rust']).length > 0 || process.env.VMPULSE_SKIP_NATIVE === '1'
    ? leftOut(reason)
    : fatal(reason);
}

/** Real VMs may be left out only where QEMU cannot be installed, or the user forbids it. */
function vmObstacle() {
  const lab = labAvailable();
  if (lab.ok) return undefined;
  const refusal = aptRefusal({ asRoot: true });
  return refusal === undefined
    ? fatal(lab.reason)
    : leftOut(`${lab.reason}; set-up cannot do it: ${refusal}`);
}

function leftOut(reason) {
  return { fatal: false, reason };
}

function fatal(reason) {
  return { fatal: true, reason };
}
