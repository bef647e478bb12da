import { access, constants, type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { loadNativeModule } from '../engine/native-module.js';
import { askLibvirt } from '../hypervisors/libvirt/rpc/libvirt.js';
import type { LibvirtPlace } from '../hypervisors/libvirt/uri.js';
import { kernelMissing, kvmCanary, loadKernel } from '../kernel/index.js';
import { Deadline } from '../model/deadline.js';
import { errorMessage } from '../model/errors.js';
import type { CallOptions } from '../model/ports.js';
import { runChild } from '../probes/command/child.js';
import type { AddonState, CanaryState, DoctorHost, HostFile, LibvirtState, ProgramRun } from './host.js';

/** Where the drivers look for programs as well. */
const PROGRAM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const READ_BYTES = 64 * 1024;
const OUTPUT_BYTES = 1024 * 1024;

/** The files below `root` as those of a host; `/` is this one. What is not a file is always this host's. */
export function realHost(root = '/'): DoctorHost {
  return {
    read: (path) => readBeginning(join(root, path)),
    list: (path) => readdir(join(root, path)).catch(() => []),
    stat: (path) => statFile(join(root, path)),
    findProgram: (name) => findProgram(root, name),
    run: runProgram,
    user: {
      uid: process.geteuid?.() ?? 0,
      gids: [...(process.getgroups?.() ?? []), process.getegid?.() ?? 0],
    },
    kernelAddon: () => addonState(() => loadKernel().path),
    engineAddon: () => addonState(() => loadNativeModule().path),
    kvmCanary: tryCanary,
    libvirt: tryLibvirt,
  };
}

async function readBeginning(path: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const buffer = Buffer.alloc(READ_BYTES);
    let length = 0;
    // Files of /proc give what they like at a time.
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, READ_BYTES - length);
      length += bytesRead;
      if (bytesRead === 0 || length === READ_BYTES) return buffer.toString('utf8', 0, length);
    }
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

async function statFile(path: string): Promise<HostFile | undefined> {
  try {
    const found = await stat(path);
    const type = found.isFile()
      ? 'file'
      : found.isDirectory()
        ? 'directory'
        : found.isCharacterDevice()
          ? 'character-device'
          : found.isBlockDevice()
            ? 'block-device'
            : 'other';
    return { type, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid };
  } catch {
    return undefined;
  }
}

async function findProgram(root: string, name: string): Promise<string | undefined> {
  const candidates = name.startsWith('/') ? [name] : PROGRAM_FOLDERS.map((folder) => join(folder, name));
  for (const path of candidates) {
    const isThere = await access(join(root, path), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

/** A child, not this process: one that hangs in the kernel holds nobody up. */
async function runProgram(argv: readonly string[], options: CallOptions): Promise<ProgramRun> {
  const timeout = AbortSignal.timeout(options.deadlineMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  // What is left of it after SIGTERM and SIGKILL is not waited for.
  const deadline = new Deadline(argv[0] ?? '', { deadlineMs: options.deadlineMs + 500 });
  try {
    const env = { PATH: PROGRAM_FOLDERS.join(':'), LANG: 'C.UTF-8' };
    const { code, stdout, stderr } = await deadline.race(
      runChild({ argv, cwd: '/', env, signal, keptBytes: OUTPUT_BYTES }),
    );
    if (timeout.aborted) return { ended: false, why: `did not end within ${options.deadlineMs} ms` };
    return { ended: true, code, stdout, stderr };
  } catch (error) {
    return { ended: false, why: errorMessage(error) };
  }
}

function addonState(load: () => string): AddonState {
  try {
    return { loaded: true, path: load() };
  } catch (error) {
    return { loaded: false, why: errorMessage(error) };
  }
}

async function tryCanary(options: CallOptions): Promise<CanaryState> {
  const missing = kernelMissing();
  if (missing !== undefined) return { ok: false, why: 'the kernel addon is missing, which runs it' };
  const result = await kvmCanary(options);
  return result.ok
    ? { ok: true, elapsedMs: result.elapsedMs }
    : { ok: false, why: `${result.reason}: ${result.detail}` };
}

async function tryLibvirt(place: LibvirtPlace, options: CallOptions): Promise<LibvirtState> {
  try {
    const deadline = new Deadline('a question to libvirt', options);
    const number = await askLibvirt(place, (libvirt) => libvirt.version(deadline));
    const parts = [number / 1_000_000, (number / 1_000) % 1_000, number % 1_000].map(Math.floor);
    return { answers: true, version: parts.join('.') };
  } catch (error) {
    return { answers: false, why: errorMessage(error) };
  }
}
