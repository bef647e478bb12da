import { createRequire } from 'node:module';
import { type LoadedAddon, loadAddon } from '../addon/load-addon.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import { type NativeKernel, nativeKernelSchema } from './native-kernel.js';

// One a thread, as the addon itself: loading it twice gives the same module.
let loaded: { readonly path: string; readonly kernel: NativeKernel } | undefined;

export interface LoadKernelOptions {
  /** A kernel.node to take instead of the builds and prebuilt files of this package. */
  readonly path?: string;
}

/**
 * Loads the addon in this thread and returns where it was found. Everything else here does so by itself on first
 * use; call it before that to choose a file, or to learn early that there is none.
 *
 * Throws ERR_VMPULSE_NATIVE when no file can be loaded, or another one than `path` is loaded already.
 */
export function loadKernel(options: LoadKernelOptions = {}): { readonly path: string } {
  if (loaded === undefined) {
    const addon = loadAddon({
      name: 'kernel',
      root: new URL('../../', import.meta.url),
      localBuilds: ['build-cmake/Release/kernel.node', 'build/Release/kernel.node'],
      path: options.path,
      load: createRequire(import.meta.url),
    });
    loaded = { path: addon.path, kernel: checkedExports(addon) };
  } else if (options.path !== undefined && options.path !== loaded.path) {
    throw new VmpulseError(
      'ERR_VMPULSE_NATIVE',
      `${options.path}: this thread already uses ${loaded.path}; choose the addon before its first use`,
    );
  }
  return { path: loaded.path };
}

/** The addon, loaded on the first call. */
export function nativeKernel(): NativeKernel {
  if (loaded === undefined) loadKernel();
  if (loaded === undefined) throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'the kernel addon did not load');
  return loaded.kernel;
}

/** Why there is no addon; undefined: there is one. What works without it is up to whoever asks. */
export function kernelMissing(): VmpulseError | undefined {
  try {
    loadKernel();
    return undefined;
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_NATIVE')) return error;
    throw error;
  }
}

function checkedExports(addon: LoadedAddon): NativeKernel {
  const exports = nativeKernelSchema.safeParse(addon.exports);
  if (exports.success) return exports.data;
  const missing = exports.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new VmpulseError(
    'ERR_VMPULSE_NATIVE',
    `${addon.path} is of another version of vmpulse: it lacks ${missing}; build it again with: npm run build:native`,
  );
}
