import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LAB_GUEST, labAvailable, labQemuArguments, labVmFiles } from '../../lab/vm.mjs';
import { writeInitrdWithAgent } from '../../lab/with-agent.mjs';
import { freePort } from '../fixtures/ports.js';
import { poll } from './poll.js';

/** A fault that the guest brings on itself when asked; lab/guest/www/cgi-bin/fault has them. */
type LabFault =
  | 'panic'
  | 'busy'
  | 'idle'
  | 'kill-httpd'
  | 'hang-httpd'
  | 'slow-httpd'
  | 'kill-agent'
  | 'hang-agent'
  | 'watchdog-stop'
  | 'watchdog-cont';

export interface LabVmOptions {
  readonly name: string;
  /** Folder of its sockets and logs; made if it is not there. Keep it short: socket paths end at 107 bytes. */
  readonly dir: string;
  /** Port on 127.0.0.1 that leads to the guest's web server; default a free one. */
  readonly port?: number;
  /** The guest feeds its watchdog, which fires that long after feeding stops. Default: no feeding. */
  readonly watchdogSeconds?: number;
  /** Further module groups: mmio, vsock, 9p. */
  readonly modules?: readonly string[];
  /** The guest can mount this host's files, read-only, by 9p as `hostroot`. */
  readonly hostRoot?: boolean;
  /** vmpulse's agent runs in the guest with this vmpulse-agent.toml. */
  readonly agentConfig?: string;
}

/** A running lab VM. */
export interface LabVm {
  readonly name: string;
  readonly pid: number;
  readonly qmpPath: string;
  readonly qgaPath: string;
  /** Of vmpulse's agent; served where it was asked for. */
  readonly agentPath: string;
  readonly consolePath: string;
  readonly httpPort: number;
  /** `http://127.0.0.1:PORT` */
  readonly baseUrl: string;
  /** Resolves when the VMM has ended, however it did. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Waits until the guest answers and all its services run. */
  waitReady(options?: { deadlineMs?: number }): Promise<void>;
  /** Brings a fault on; it begins 0.2 s after the answer. `ms` belongs to slow-httpd. */
  fault(name: LabFault, options?: { ms?: number }): Promise<void>;
  /** The guest kernel's boot id, at most `timeoutMs` (default 5000) later: another one after each reset. */
  bootId(timeoutMs?: number): Promise<string>;
  /** Status of GET /healthz, at most `timeoutMs` (default 1000) later. */
  health(timeoutMs?: number): Promise<number>;
  /** What the guest has printed so far. */
  consoleText(): string;
  /** SIGKILL; resolves when the VMM has ended. Does nothing if it already has. */
  kill(): Promise<void>;
}

const START_DEADLINE_MS = 10_000;
const READY_DEADLINE_MS = 60_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Of a guest that boots: a request sent too early is lost, and waiting for it only delays the next. */
const POLL_TIMEOUT_MS = 400;
const BOOT_ID = z.object({ bootId: z.string(), uptimeSeconds: z.number() });

const running = new Set<LabVm>();

/**
 * Starts a lab VM in a session of its own, its output in files. It dies with this process, even if that is
 * killed. Resolves when its sockets are there; the guest boots meanwhile.
 */
export async function bootLabVm(options: LabVmOptions): Promise<LabVm> {
  const lab = labAvailable();
  if (!lab.ok) throw new Error(lab.reason);
  mkdirSync(options.dir, { recursive: true });
  const httpPort = options.port ?? (await freePort());
  const files = labVmFiles(options.name, options.dir);
  const initrd = options.agentConfig === undefined ? undefined : join(options.dir, `${options.name}.initrd`);
  if (initrd !== undefined) writeInitrdWithAgent(initrd, options.agentConfig ?? '');
  const args = labQemuArguments({ ...options, httpPort, initrd });

  const output = openSync(files.output, 'w');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', lab.qemu, ...args], {
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const exited = new Promise<Awaited<LabVm['exited']>>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  let alive = true;
  void exited.then(() => {
    alive = false;
  });

  await poll(`VM ${options.name}: sockets`, START_DEADLINE_MS, () => {
    if (alive && existsSync(files.qmp) && existsSync(files.qga)) return true;
    return alive ? undefined : true;
  });
  if (!alive || child.pid === undefined) {
    throw new Error(`VM ${options.name} did not start: ${readFileSync(files.output, 'utf8').trim()}`);
  }
  child.unref();
  const vm = handle(options.name, child.pid, httpPort, files, exited, () => alive && child.kill('SIGKILL'));
  running.add(vm);
  void exited.then(() => running.delete(vm));
  return vm;
}

/** Kills every VM that this process booted and that still runs; for `afterAll`. */
export async function killLabVms(): Promise<void> {
  await Promise.all([...running].map((vm) => vm.kill()));
}

function handle(
  name: string,
  pid: number,
  httpPort: number,
  files: ReturnType<typeof labVmFiles>,
  exited: LabVm['exited'],
  sigkill: () => boolean,
): LabVm {
  const baseUrl = `http://127.0.0.1:${httpPort}`;
  const get = async (path: string, timeoutMs: number): Promise<Response> => {
    const headers = { connection: 'close' };
    return fetch(`${baseUrl}${path}`, { headers, signal: AbortSignal.timeout(timeoutMs) });
  };
  const consoleText = (): string => readFileSync(files.console, 'utf8');
  const vm: LabVm = {
    name,
    pid,
    qmpPath: files.qmp,
    qgaPath: files.qga,
    agentPath: files.agent,
    consolePath: files.console,
    httpPort,
    baseUrl,
    exited,
    consoleText,
    async waitReady({ deadlineMs = READY_DEADLINE_MS } = {}) {
      // The last boot counts: READY of an earlier one stays in the log.
      await poll(`VM ${name}: ready`, deadlineMs, async () => {
        const id = await vm.bootId(POLL_TIMEOUT_MS);
        return consoleText().includes(`READY boot_id=${id} `) ? true : undefined;
      });
    },
    async fault(fault, { ms } = {}) {
      const query = ms === undefined ? fault : `${fault}&ms=${ms}`;
      const response = await get(`${LAB_GUEST.faultPath}?do=${query}`, REQUEST_TIMEOUT_MS);
      if (response.status !== 200) throw new Error(`fault ${fault}: status ${response.status}`);
    },
    async bootId(timeoutMs = REQUEST_TIMEOUT_MS) {
      const response = await get(LAB_GUEST.bootIdPath, timeoutMs);
      return BOOT_ID.parse(await response.json()).bootId;
    },
    async health(timeoutMs = 1_000) {
      return (await get(LAB_GUEST.healthPath, timeoutMs)).status;
    },
    async kill() {
      sigkill();
      await exited;
    },
  };
  return vm;
}
