import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FoundVm } from '../../../src/hypervisors/discovery/found-vm.js';
import findVms from '../../../src/hypervisors/discovery/worker.js';
import { testFolder } from '../../fixtures/folder.js';

export interface FakeProcess {
  readonly argv: readonly string[];
  readonly exe?: string;
  readonly parent?: number;
  readonly uid?: number;
  readonly cgroup?: string;
  readonly cwd?: string;
  readonly root?: string;
  /** TAP devices behind its descriptors. */
  readonly taps?: readonly string[];
}

/** What is found where /proc has these processes, by PID; each began at tick 1000 + PID. */
export function findIn(processes: Readonly<Record<number, FakeProcess>>): FoundVm[] {
  const proc = testFolder();
  writeFileSync(join(proc, 'uptime'), '1 1');
  for (const [pid, process] of Object.entries(processes)) {
    const folder = join(proc, pid);
    mkdirSync(join(folder, 'fdinfo'), { recursive: true });
    const {
      argv,
      exe = argv[0] ?? '/gone',
      parent = 1,
      uid = 0,
      cgroup = '/',
      cwd = '/',
      root = '/',
    } = process;
    writeFileSync(join(folder, 'cmdline'), argv.map((arg) => `${arg}\0`).join(''));
    const fields = ['S', parent, ...Array<number>(17).fill(0), 1000 + Number(pid)];
    writeFileSync(join(folder, 'stat'), `${pid} (a) b (c)) ${fields.join(' ')} 0 0\n`);
    writeFileSync(join(folder, 'status'), `Name:\tx\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
    writeFileSync(join(folder, 'cgroup'), `0::${cgroup}\n`);
    process.taps?.forEach((tap, fd) => {
      writeFileSync(join(folder, 'fdinfo', String(fd + 10)), `pos:\t0\nflags:\t02\niff:\t${tap}\n`);
    });
    for (const [name, target] of Object.entries({ exe, cwd, root })) symlinkSync(target, join(folder, name));
  }
  return findVms({ proc });
}
