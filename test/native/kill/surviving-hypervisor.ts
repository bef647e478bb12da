import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { identify } from '../../../src/hypervisors/process.js';
import type { ProcessIdentity } from '../../../src/model/vm.js';

/** Moments at which a daemon may die. */
export const PHASES = ['before-entry', 'after-entry', 'mid-action', 'before-result'] as const;
export type Phase = (typeof PHASES)[number];

interface Machine {
  /** A real process stands for the VMM: its death reaches the daemon as that of any VMM does. */
  child: ChildProcess;
  identity: ProcessIdentity;
  startedAtMs: number;
  panicked: boolean;
}

const REQUEST = z.object({
  id: z.number(),
  op: z.enum(['look', 'status', 'start', 'reset', 'answers', 'phase', 'view']),
  vm: z.string().nullable(),
  data: z.unknown().optional(),
});
const PHASE = z.object({ phase: z.enum(PHASES), actions: z.array(z.string()) });
const VIEW = z.array(z.object({ id: z.string(), health: z.string(), pid: z.number() }));

/**
 * The hypervisor of daemon.mjs, in a process that survives it: owns the VMMs, knows what they really are, and writes
 * down what it was told to do, and whatever was wrong to ask.
 */
export class SurvivingHypervisor {
  /** What no daemon may do: start a VM that runs, reset a guest that is well. */
  readonly violations: string[] = [];
  readonly done = { start: 0, reset: 0 };
  /** Actions whose start a daemon took for being on disk. */
  readonly durable = new Set<string>();
  view: z.infer<typeof VIEW> = [];
  /** Called at each phase; what it answers with is waited for before the daemon goes on. */
  onPhase: (phase: Phase) => Promise<void> = async () => {};
  readonly #machines = new Map<string, Machine>();
  readonly #server: Server;
  #daemon: Socket | undefined;

  constructor(socketPath: string) {
    this.#server = createServer((socket) => this.#serve(socket)).listen(socketPath);
  }

  /** Starts a VMM by itself, as it was before any daemon. */
  async boot(vm: string): Promise<void> {
    const child = spawn('sleep', ['3600'], { stdio: 'ignore', detached: true });
    await once(child, 'spawn');
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw new Error('the stand-in for a VMM has gone at once');
    this.#machines.set(vm, { child, identity, startedAtMs: Date.now(), panicked: false });
  }

  /** Its process dies. */
  async kill(vm: string): Promise<void> {
    const { child } = this.#machine(vm);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  panic(vm: string): void {
    this.#machine(vm).panicked = true;
    this.#tell(vm, { type: 'panicked', action: 'pause' });
  }

  /** PID of a VM that runs and whose guest is well. */
  wellPid(vm: string): number | undefined {
    const machine = this.#alive(vm);
    return machine?.panicked === false ? machine.identity.pid : undefined;
  }

  async close(): Promise<void> {
    for (const vm of this.#machines.keys()) if (this.#alive(vm)) await this.kill(vm);
    this.#daemon?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#daemon = socket;
    this.view = [];
    // It is killed in the middle of anything.
    socket.on('error', () => {});
    const lines = createInterface({ input: socket });
    // It passes on those of the socket.
    lines.on('error', () => {});
    lines.on('line', (line) => {
      const request = REQUEST.parse(JSON.parse(line));
      this.#answer(request.op, request.vm ?? '', request.data).then(
        (value) => socket.write(`${JSON.stringify({ id: request.id, value: value ?? null })}\n`),
        (error: Error) => socket.write(`${JSON.stringify({ id: request.id, error: error.message })}\n`),
      );
    });
  }

  async #answer(op: z.infer<typeof REQUEST>['op'], vm: string, data: unknown): Promise<unknown> {
    switch (op) {
      case 'look': {
        const machine = this.#alive(vm);
        if (!machine) return { running: false, leftovers: [] };
        return { running: true, process: machine.identity, startedAtMs: machine.startedAtMs };
      }
      case 'status':
        return this.#machine(vm).panicked ? 'guest-panicked' : 'running';
      case 'answers':
        return this.wellPid(vm) !== undefined;
      case 'start':
        return this.#start(vm);
      case 'reset':
        return this.#reset(vm);
      case 'view':
        this.view = VIEW.parse(data);
        return;
      case 'phase': {
        const { phase, actions } = PHASE.parse(data);
        if (phase === 'after-entry') for (const action of actions) this.durable.add(action);
        return this.onPhase(phase);
      }
    }
  }

  /** The daemon may die before the order is carried out, or before it hears that it was. */
  async #start(vm: string): Promise<ProcessIdentity> {
    if (this.#alive(vm)) {
      this.violations.push(`${vm} was started while it ran`);
      throw new Error(`${vm} runs already`);
    }
    const before = this.onPhase('mid-action');
    await this.boot(vm);
    this.done.start += 1;
    await before;
    return this.#machine(vm).identity;
  }

  async #reset(vm: string): Promise<void> {
    const machine = this.#machine(vm);
    if (!machine.panicked) this.violations.push(`${vm} was reset although its guest was well`);
    const before = this.onPhase('mid-action');
    machine.panicked = false;
    this.done.reset += 1;
    this.#tell(vm, { type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
    await before;
  }

  #tell(vm: string, event: object): void {
    if (this.#daemon?.writable) this.#daemon.write(`${JSON.stringify({ vm, event })}\n`);
  }

  #alive(vm: string): Machine | undefined {
    const machine = this.#machines.get(vm);
    const ended =
      machine === undefined || machine.child.exitCode !== null || machine.child.signalCode !== null;
    return ended ? undefined : machine;
  }

  #machine(vm: string): Machine {
    const machine = this.#machines.get(vm);
    if (machine === undefined) throw new Error(`no VMM of ${vm} was ever there`);
    return machine;
  }
}
