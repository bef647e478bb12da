import type { LibvirtPlace } from '../hypervisors/libvirt/uri.js';
import type { CallOptions } from '../model/ports.js';

export interface HostFile {
  readonly type: 'file' | 'directory' | 'character-device' | 'block-device' | 'other';
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** How a program ended, or that it did not. */
export type ProgramRun =
  | { readonly ended: true; readonly code: number | null; readonly stdout: string; readonly stderr: string }
  | { readonly ended: false; readonly why: string };

/** An addon: where it is, or why it cannot be loaded. */
export type AddonState =
  | { readonly loaded: true; readonly path: string }
  | { readonly loaded: false; readonly why: string };

/** What the canary guest did. */
export type CanaryState =
  | { readonly ok: true; readonly elapsedMs: number }
  | { readonly ok: false; readonly why: string };

/** Whether a libvirt answers. */
export type LibvirtState =
  | { readonly answers: true; readonly version: string }
  | { readonly answers: false; readonly why: string };

/** The host as the checks see it. Nothing here changes it. Paths are absolute, as the host has them. */
export interface DoctorHost {
  /** The beginning of a file (64 KiB); undefined: there is none, or it cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Names in a folder; empty where there is none. */
  list(path: string): Promise<readonly string[]>;
  stat(path: string): Promise<HostFile | undefined>;
  /** Path of a program in the folders where vmpulse looks for programs. */
  findProgram(name: string): Promise<string | undefined>;
  /** Runs a program that only tells something, without a shell. Never throws; one that hangs is killed. */
  run(argv: readonly string[], options: CallOptions): Promise<ProgramRun>;
  readonly user: { readonly uid: number; readonly gids: readonly number[] };
  kernelAddon(): AddonState;
  engineAddon(): AddonState;
  kvmCanary(options: CallOptions): Promise<CanaryState>;
  libvirt(place: LibvirtPlace, options: CallOptions): Promise<LibvirtState>;
}
