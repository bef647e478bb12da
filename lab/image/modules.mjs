import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { listFiles } from '../../scripts/lib/fresh.mjs';
import { decompress } from './kernel.mjs';

/**
 * What the guest can load, by group. `base` is loaded at each boot, the others by `vmp.modules=` on the
 * kernel line. Dependencies are computed.
 */
const MODULE_GROUPS = {
  base: [
    'virtio_pci',
    'virtio_net',
    'virtio_console',
    'virtio_blk',
    'i6300esb',
    'pvpanic_pci',
    'button',
    'evdev',
  ],
  mmio: ['virtio_mmio', 'pvpanic_mmio'],
  vsock: ['vsock', 'vsock_loopback', 'vmw_vsock_virtio_transport'],
  '9p': ['9pnet_virtio', '9p', 'overlay'],
  softdog: ['softdog'],
};

/**
 * The modules of every group with their dependencies, in insmod order.
 *
 * @param {string} modulesDir the unpacked lib/modules/<release>
 * @returns {{ order: Record<string, string[]>, files: Map<string, Buffer> }} names by group, content by name
 */
export function collectModules(modulesDir) {
  const paths = new Map(
    listFiles([`${modulesDir}/kernel`])
      .filter((path) => /\.ko(\.xz|\.zst|\.gz)?$/.test(path))
      .map((path) => [moduleName(path), path]),
  );
  const builtIn = new Set(readFileSync(`${modulesDir}/modules.builtin`, 'utf8').split('\n').map(moduleName));
  const files = new Map();
  const visit = (name, into) => {
    if (builtIn.has(name) || into.includes(name)) return;
    const path = paths.get(name);
    if (path === undefined)
      throw new Error(`the kernel has no module ${name}, neither as a file nor built in`);
    if (!files.has(name)) files.set(name, decompress(readFileSync(path)));
    for (const dependency of dependencies(files.get(name))) visit(dependency, into);
    into.push(name);
  };
  const order = {};
  for (const [group, names] of Object.entries(MODULE_GROUPS)) {
    order[group] = [];
    for (const name of names) visit(name, order[group]);
  }
  return { order, files };
}

/** The `depends=` and `pre:` soft dependencies that a module's .modinfo section names. */
function dependencies(module) {
  const text = module.toString('latin1');
  const depends = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? '';
  return depends
    .split(',')
    .filter((name) => name !== '')
    .map(moduleName);
}

function moduleName(path) {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}
