// What a figure is worth depends on where it was taken.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { versionOf } from './probers/debian.mjs';

/** Null for what is missing. */
export async function versions() {
  const dependency = (name) => version(`../node_modules/${name}/package.json`);
  return {
    vmpulse: version('../package.json'),
    commit: commit(),
    node: process.versions.node,
    undici: dependency('undici'),
    tinybench: dependency('tinybench'),
    linux: release(),
    haproxy: (await versionOf('haproxy', '-v')) ?? null,
    blackbox_exporter: (await versionOf('prometheus-blackbox-exporter', '--version')) ?? null,
    fping: (await versionOf('fping', '-v')) ?? null,
    check_tcp: (await versionOf('check_tcp', '--version')) ?? null,
  };
}

export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    virtual: readFileSync('/proc/cpuinfo', 'latin1').includes(' hypervisor '),
    /** Processes that wanted a core on average over the last minute before the run: other work disturbs it. */
    loadAverage: loadavg()[0],
  };
}

function version(path) {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
}

/** Null outside a checkout. */
function commit() {
  const git = (...args) =>
    execFileSync('git', args, { cwd: new URL('.', import.meta.url), encoding: 'utf8', stdio: 'pipe' });
  try {
    const dirty = git('status', '--porcelain', '--untracked-files=no', '../src', '../native', '.') !== '';
    return git('rev-parse', '--short', 'HEAD').trim() + (dirty ? '+changes' : '');
  } catch {
    return null;
  }
}
