import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { type RestFault, type RestRequest, type RestResponse, RestServer } from './rest-server.js';

/** What `vm.info` says. There is none before `vm.create` and after `vm.delete`. */
export type CloudHypervisorState = 'Created' | 'Running' | 'Shutdown' | 'Paused' | 'BreakPoint';

export interface CloudHypervisorOptions {
  /** Unix socket of its API. */
  readonly path: string;
  /** Begins with this VM instead of none. */
  readonly state?: CloudHypervisorState;
  /** `--no-shutdown`: a guest that powers off does not end the VMM. */
  readonly noShutdown?: boolean;
  /** `--event-monitor path=…`: appended to. */
  readonly eventsPath?: string;
  /** Whether the guest heeds the power button; default true. */
  readonly guestHeedsButton?: boolean;
  /** To shut down a paused VM freezes the API, as it did in older versions. */
  readonly freezesPaused?: boolean;
  /** Called once, when the process ends. */
  readonly onExit?: () => void;
  /** `vmm.shutdown` ends the process before its answer is sent. */
  readonly endsBeforeAnswer?: boolean;
}

type Answer = RestResponse | 'exit' | 'freeze';

const DONE: RestResponse = { status: 204 };
const WITHOUT_BODY = ['boot', 'pause', 'resume', 'shutdown', 'reboot', 'power-button', 'delete', 'nmi'];

/** The API of Cloud Hypervisor, without a hypervisor behind it. */
export class FakeCloudHypervisor {
  readonly api: RestServer;
  readonly #options: CloudHypervisorOptions;
  #state: CloudHypervisorState | undefined;
  #config: Readonly<Record<string, unknown>> = {};
  #deviceIds = new Set<string>();
  #alive = true;
  readonly #startedMs = performance.now();

  private constructor(options: CloudHypervisorOptions, api: RestServer) {
    this.#options = options;
    this.#state = options.state;
    this.api = api;
  }

  static async start(options: CloudHypervisorOptions): Promise<FakeCloudHypervisor> {
    let fake: FakeCloudHypervisor | undefined;
    const api = await RestServer.listen(options.path, 'Cloud Hypervisor API', (request) =>
      fake === undefined ? 'exit' : fake.#answer(request),
    );
    fake = new FakeCloudHypervisor(options, api);
    fake.#tell('vmm', 'starting');
    return fake;
  }

  get state(): CloudHypervisorState | undefined {
    return this.#state;
  }

  /** False once the process has ended. */
  get isAlive(): boolean {
    return this.#alive;
  }

  inject(fault: RestFault, options: Parameters<RestServer['inject']>[1] = {}): void {
    this.api.inject(fault, options);
  }

  /** As if a debugger, or a bug, had changed it. */
  force(state: CloudHypervisorState | undefined): void {
    this.#state = state;
  }

  /** The process ends. Idempotent. */
  exit(): void {
    if (this.#alive) this.#options.onExit?.();
    this.#alive = false;
    this.api.close();
  }

  /** The guest panics; with `--pvpanic` that is told, and the state stays. */
  guestPanics(): void {
    this.#tell('guest', 'panic');
  }

  /** The guest powers off. */
  guestPowersOff(): void {
    if (this.#state !== 'Running') return;
    this.#tell('vm', 'shutdown');
    if (this.#options.noShutdown === true) {
      this.#state = 'Created';
      return;
    }
    this.#tell('vm', 'deleted');
    this.#tell('vmm', 'shutdown');
    this.exit();
  }

  /** The guest reboots, or its watchdog did it: the process stays, and nothing is told of the watchdog. */
  guestReboots(): void {
    this.#tell('vm', 'rebooting');
    this.#tell('vm', 'rebooted');
    this.#state = 'Running';
  }

  /** An event of the monitor. */
  #tell(source: string, event: string, properties: Readonly<Record<string, string>> | null = null): void {
    if (this.#options.eventsPath === undefined) return;
    const elapsedMs = performance.now() - this.#startedMs;
    const timestamp = { secs: Math.floor(elapsedMs / 1000), nanos: Math.floor((elapsedMs % 1000) * 1e6) };
    const text = JSON.stringify({ timestamp, source, event, properties }, undefined, 2);
    write(this.#options.eventsPath, `${text}\n\n`);
  }

  #answer({ method, path, body }: RestRequest): Answer {
    const name = path.startsWith('/api/v1/') ? path.slice('/api/v1/'.length) : '';
    if (name === 'vmm.ping' || name === 'vm.info' || name === 'vm.counters') {
      return method === 'GET' ? this.#get(name) : refusal(400, 'Bad Request');
    }
    if (name === 'vmm.shutdown') return method === 'PUT' ? this.#endVmm() : refusal(400, 'Bad Request');
    const action = name.startsWith('vm.') ? name.slice('vm.'.length) : '';
    const takesBody = action in WITH_BODY;
    if (!takesBody && !WITHOUT_BODY.includes(action)) return refusal(404, 'Not Found');
    if (method !== 'PUT' || takesBody !== (body !== undefined)) return refusal(400, 'Bad Request');
    return takesBody ? this.#withBody(action, body ?? '') : this.#act(action);
  }

  #get(name: string): RestResponse {
    if (name === 'vmm.ping') {
      return {
        status: 200,
        body: { build_version: 'v54.0', version: '54.0', pid: process.pid, features: ['kvm'] },
      };
    }
    if (this.#state === undefined) return notCreated('The VM info is not available');
    if (name === 'vm.info') {
      const { memory } = this.#config;
      return {
        status: 200,
        body: { config: this.#config, state: this.#state, memory_actual_size: memory ?? 0, device_tree: {} },
      };
    }
    // An average over nothing is the largest number there is.
    const body = { disk0: { read_ops: 0, write_ops: 0, read_latency_min: 2 ** 64 } };
    return this.#isBooted
      ? { status: 200, body }
      : refusal(500, 'Error from API', 'The VM info is not available', 'VM is not running');
  }

  get #isBooted(): boolean {
    return this.#state !== undefined && this.#state !== 'Created';
  }

  #act(action: string): Answer {
    // Deleting what is not there is done at once, as often as it is asked for.
    if (action === 'delete') {
      if (this.#state !== undefined) this.#tell('vm', 'deleted');
      this.#state = undefined;
      this.#deviceIds.clear();
      return DONE;
    }
    if (action === 'boot') return this.#boot();
    if (!this.#isBooted) return notRunning();
    switch (action) {
      case 'pause':
        return this.#move('Running', 'Paused', 'pausing', 'paused');
      case 'resume':
        return this.#move('Paused', 'Running', 'resuming', 'resumed');
      case 'shutdown':
        // Older versions wait for vCPUs that are paused, and the API with them. Resume first.
        if (this.#state === 'Paused' && this.#options.freezesPaused === true) return 'freeze';
        this.#tell('vm', 'shutdown');
        this.#state = 'Created';
        return DONE;
      case 'reboot':
        this.guestReboots();
        return DONE;
      case 'power-button':
        if (this.#options.guestHeedsButton !== false) setImmediate(() => this.guestPowersOff());
        return DONE;
      default:
        return DONE;
    }
  }

  #boot(): RestResponse {
    if (this.#state === undefined) return notCreated('The VM could not boot');
    if (this.#state === 'Running') return wrongTransition('Running', 'Running');
    this.#tell('vm', 'booting');
    this.#state = 'Running';
    this.#tell('vm', 'booted');
    return DONE;
  }

  #move(from: CloudHypervisorState, to: CloudHypervisorState, begins: string, ends: string): RestResponse {
    if (this.#state !== from) return wrongTransition(this.#state ?? 'Created', to);
    this.#tell('vm', begins);
    this.#state = to;
    this.#tell('vm', ends);
    return DONE;
  }

  #endVmm(): Answer {
    this.#state = undefined;
    if (this.#options.endsBeforeAnswer === true) {
      this.#alive = false;
      this.#options.onExit?.();
      return 'exit';
    }
    setImmediate(() => this.exit());
    return { status: 200 };
  }

  #withBody(action: string, body: string): Answer {
    const config = parseObject(body);
    if (config === undefined) return refusal(400, 'Failed to deserialize JSON', 'expected value at line 1');
    if (action === 'create') {
      if (this.#state !== undefined) {
        return refusal(500, 'Error from API', 'The VM could not be created', 'VM is already created');
      }
      if (!('payload' in config)) {
        return refusal(400, 'Failed to deserialize JSON', 'missing field `payload`');
      }
      this.#config = config;
      this.#state = 'Created';
      return DONE;
    }
    if (action === 'restore') {
      this.#state = 'Paused';
      return DONE;
    }
    if (this.#state === undefined) return notCreated('The VM could not be changed');
    if (action === 'snapshot' && this.#state !== 'Paused') {
      return refusal(500, 'Error from API', 'The VM could not be snapshotted', 'VM is not paused');
    }
    return action.startsWith('add-') ? this.#addDevice(config) : DONE;
  }

  /** Hot-plugged into a booted VM it is told where; else it is only written down. */
  #addDevice({ id }: Readonly<Record<string, unknown>>): RestResponse {
    const name = typeof id === 'string' ? id : `_device${this.#deviceIds.size}`;
    if (this.#deviceIds.has(name)) {
      return refusal(
        409,
        'Error from API',
        'The device could not be added',
        `Identifier ${name} is not unique`,
      );
    }
    this.#deviceIds.add(name);
    return this.#isBooted ? { status: 200, body: { id: name, bdf: '0000:00:06.0' } } : DONE;
  }
}

const WITH_BODY: Readonly<Record<string, true>> = {
  create: true,
  resize: true,
  'add-net': true,
  'add-disk': true,
  'remove-device': true,
  snapshot: true,
  restore: true,
  coredump: true,
};

/** To a file or a fifo; what nobody reads is lost. */
function write(path: string, text: string): void {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  try {
    const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
    writeSync(fd, text);
    closeSync(fd);
  } catch {
    // ENXIO: a fifo without a reader.
  }
}

/** An error as the chain of its causes. */
function refusal(status: number, ...chain: readonly string[]): RestResponse {
  return { status, body: chain };
}

function notCreated(what: string): RestResponse {
  return refusal(404, 'Error from API', what, 'VM is not created');
}

function notRunning(): RestResponse {
  return refusal(500, 'Error from API', 'The VM could not be changed', 'VM is not running');
}

function wrongTransition(from: string, to: string): RestResponse {
  return refusal(
    500,
    'Error from API',
    'The VM could not be changed',
    `Invalid VM state transition: ${from} to ${to}`,
  );
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
