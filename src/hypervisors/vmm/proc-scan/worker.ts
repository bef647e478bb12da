import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { readProcStat } from '../../process.js';
import type { ArgvMark, DiskHolder, FoundProcess, ScanTask } from './proc-scanner.js';

/**
 * Pool task: looks through /proc. It runs on a thread of its own because reading a command line waits for a process
 * that holds its memory map, and because a host may have very many descriptors.
 */
export default function scan(task: ScanTask): unknown {
  switch (task.type) {
    case 'by-mark':
      return processesOf(task.mark);
    case 'argv':
      return readArgv(task.pid);
    case 'listeners':
      return listeners(task.socket, task.pidFile);
    case 'holders':
      return holders(task.paths);
  }
}

function allPids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^[1-9]\d*$/.test(name) ? [Number(name)] : []));
}

/** Undefined instead of an error: a process may end at any time, and others' are not ours to read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function readArgv(pid: number): string[] {
  const text = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '';
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

function found(pid: number, argv: readonly string[]): FoundProcess[] {
  const stat = readProcStat(pid);
  return stat === undefined ? [] : [{ pid, startTimeTicks: stat.startTimeTicks, argv }];
}

function processesOf({ options, values }: ArgvMark): FoundProcess[] {
  const isValue = (arg: string) =>
    arg
      .toLowerCase()
      .split(',')
      .some((part) => values.includes(part));
  const matches = allPids().flatMap((pid) => {
    const argv = readArgv(pid);
    const isOurs = argv.some(
      (arg, i) =>
        (options.includes(argv[i - 1] ?? '') && isValue(arg)) ||
        options.some((option) => arg.startsWith(`${option}=`) && isValue(arg.slice(option.length + 1))),
    );
    return isOurs ? found(pid, argv) : [];
  });
  // A child between fork and exec shows its parent's command line.
  const pids = new Set(matches.map(({ pid }) => pid));
  return matches.filter(({ pid }) => !pids.has(readProcStat(pid)?.parentPid ?? 0));
}

/** Processes that listen on the Unix socket; only the one that the PID file names, if it is among them. */
function listeners(socket: string, pidFile: string | undefined): FoundProcess[] {
  const wanted = attempt(() => statSync(socket, { bigint: true }));
  if (wanted === undefined) return [];
  const named = Number.parseInt((pidFile && attempt(() => readFileSync(pidFile, 'latin1'))) || '', 10);
  const tables = new Map<string, Map<string, string>>();
  const all = allPids().flatMap((pid) => {
    // Pathname sockets are reached from everywhere, but are listed only in the network namespace that made them.
    const namespace = attempt(() => readlinkSync(`/proc/${pid}/ns/net`)) ?? '';
    const table = tables.get(namespace) ?? listeningSockets(pid, basename(socket));
    tables.set(namespace, table);
    if (table.size === 0) return [];
    const held = descriptors(pid).map(({ target }) => table.get(target));
    return held.some((path) => path !== undefined && isSame(pid, path, wanted))
      ? found(pid, readArgv(pid))
      : [];
  });
  const preferred = all.filter(({ pid }) => pid === named);
  return preferred.length > 0 ? preferred : all;
}

/** `socket:[inode]` → path of the listening stream sockets with this file name in the namespace of the process. */
function listeningSockets(pid: number, name: string): Map<string, string> {
  const text = attempt(() => readFileSync(`/proc/${pid}/net/unix`, 'utf8')) ?? '';
  // Num: RefCount Protocol Flags Type St Inode Path; flag 0x10000 is a listening socket.
  const rows = text.matchAll(/^\S+ \S+ \S+ 00010000 0001 \S+ +(\d+) (.+)$/gm);
  return new Map(
    [...rows].flatMap(([, inode, path]) =>
      path && basename(path) === name ? [[`socket:[${inode}]`, path]] : [],
    ),
  );
}

/** Whether the path, as this process sees it (its folder, its root), is the file that is wanted. */
function isSame(pid: number, path: string, wanted: { dev: bigint; ino: bigint }): boolean {
  const seen = path.startsWith('/') ? `/proc/${pid}/root${path}` : `/proc/${pid}/cwd/${path}`;
  const stat = attempt(() => statSync(seen, { bigint: true }));
  return stat !== undefined && stat.dev === wanted.dev && stat.ino === wanted.ino;
}

function descriptors(pid: number): { fd: string; target: string }[] {
  const fds = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return fds.flatMap((fd) => {
    const target = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    return target === undefined ? [] : [{ fd, target }];
  });
}

/** Who has one of these files open, by device and inode: names and links to a file do not matter. */
function holders(paths: readonly string[]): DiskHolder[] {
  const wanted = new Map(paths.flatMap((path) => fileKeys(path).map((key) => [key, path])));
  if (wanted.size === 0) return [];
  return allPids().flatMap((pid) =>
    descriptors(pid).flatMap(({ fd, target }) => {
      // Sockets, pipes and the like are no files.
      if (!target.startsWith('/')) return [];
      const path = fileKeys(`/proc/${pid}/fd/${fd}`).map((key) => wanted.get(key))[0];
      return path === undefined ? [] : [{ path, pid, name: processName(pid), writable: isWritable(pid, fd) }];
    }),
  );
}

/** A block device is the same device under any node that names it. */
function fileKeys(path: string): string[] {
  const stat = attempt(() => statSync(path, { bigint: true }));
  if (stat === undefined) return [];
  return [stat.isBlockDevice() ? `device ${stat.rdev}` : `${stat.dev}:${stat.ino}`];
}

function processName(pid: number): string {
  return attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd()) ?? '?';
}

function isWritable(pid: number, fd: string): boolean {
  const info = attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? '';
  const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '2', 8);
  return (flags & 3) !== 0;
}
