import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Demand, demandOfDefaults } from '../../../src/doctor/demand.js';
import type { ReportedFinding } from '../../../src/doctor/finding.js';
import type {
  AddonState,
  CanaryState,
  DoctorHost,
  HostFile,
  LibvirtState,
} from '../../../src/doctor/host.js';
import { realHost } from '../../../src/doctor/real-host.js';
import { CHECKS } from '../../../src/doctor/registry.js';
import { runDoctor } from '../../../src/doctor/run-doctor.js';

/** A host that a test describes. */
export interface Described {
  /** Contents by absolute path; they are written below a folder of the test. */
  readonly files?: Readonly<Record<string, string>>;
  /** Programs of /usr/bin. */
  readonly programs?: readonly string[];
  /** Devices, which a test cannot make: mode, and the group that owns them. */
  readonly devices?: Readonly<
    Record<string, { readonly mode: number; readonly gid?: number; readonly uid?: number }>
  >;
  /** What programs say, by the beginning of their command line; others are not to be run. */
  readonly runs?: Readonly<Record<string, string | { code: number; stderr: string } | { why: string }>>;
  readonly user?: DoctorHost['user'];
  readonly canary?: CanaryState;
  readonly addon?: AddonState;
  readonly libvirt?: LibvirtState;
  readonly demand?: Partial<Demand>;
}

const ROOT_USER = { uid: 0, gids: [0] };
const LOADED: AddonState = { loaded: true, path: '/addon.node' };

export function fakeHost(described: Described): DoctorHost {
  const { files = {}, programs = [], devices = {}, runs = {} } = described;
  const root = mkdtempSync(join(tmpdir(), 'vmpulse-doctor-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) write(join(root, path), text, 0o644);
  for (const name of programs) write(join(root, 'usr/bin', name), '', 0o755);
  const real = realHost(root);
  return {
    ...real,
    stat: async (path): Promise<HostFile | undefined> => {
      const device = devices[path];
      return device ? { uid: 0, gid: 0, ...device, type: 'character-device' } : await real.stat(path);
    },
    run: async (argv) => {
      const line = argv.join(' ');
      const said = Object.entries(runs).find(([start]) => line.startsWith(start))?.[1];
      if (said === undefined) return { ended: false, why: `nobody told what ${line} says` };
      if (typeof said === 'string') return { ended: true, code: 0, stdout: said, stderr: '' };
      return 'why' in said ? { ended: false, why: said.why } : { ended: true, stdout: '', ...said };
    },
    user: described.user ?? ROOT_USER,
    kernelAddon: () => described.addon ?? LOADED,
    engineAddon: () => described.addon ?? LOADED,
    libvirt: async () => described.libvirt ?? { answers: true, version: '9.0.0' },
    kvmCanary: async () => described.canary ?? { ok: true, elapsedMs: 1 },
  };
}

/** What one check finds on it. */
export async function find(id: string, described: Described): Promise<readonly ReportedFinding[]> {
  const checks = CHECKS.filter((check) => check.id === id);
  const demand = { ...demandOfDefaults(), ...described.demand };
  return (await runDoctor({ host: fakeHost(described), demand, checks })).findings;
}

function write(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}
