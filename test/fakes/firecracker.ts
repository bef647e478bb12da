import { existsSync } from 'node:fs';
import { type RestFault, type RestRequest, type RestResponse, RestServer } from './rest-server.js';

export type FirecrackerState = 'Not started' | 'Running' | 'Paused';

export interface FirecrackerOptions {
  /** Unix socket of its API. */
  readonly path: string;
  readonly id?: string;
  /** Default `Not started`. */
  readonly state?: FirecrackerState;
  /** Called once, when the process ends. */
  readonly onExit?: (code: number) => void;
  /** Called when the metrics are flushed. */
  readonly onFlush?: () => void;
  /** Whether the guest heeds Ctrl-Alt-Del by a reset, which ends the process; default true. */
  readonly guestHeedsCtrlAltDel?: boolean;
}

const DONE: RestResponse = { status: 204 };
const PRE_BOOT = 'The requested operation is not supported before starting the microVM.';
const POST_BOOT = 'The requested operation is not supported after starting the microVM.';
/** What is configured before the start, and what names it. */
const RESOURCES = [
  'boot-source',
  'drives',
  'network-interfaces',
  'machine-config',
  'vsock',
  'metrics',
  'logger',
];
/** These could be added to a microVM that runs, if it had been started with PCI. */
const HOT_PLUGGED = ['drives', 'network-interfaces'];

/** The API of Firecracker, without a microVM behind it. */
export class FakeFirecracker {
  readonly api: RestServer;
  readonly #options: FirecrackerOptions;
  #state: FirecrackerState;
  readonly #config = new Map<string, unknown>();
  /** Exit status of the process; undefined while it lives. */
  #exitCode: number | undefined;

  private constructor(options: FirecrackerOptions, api: RestServer) {
    this.#options = options;
    this.#state = options.state ?? 'Not started';
    this.api = api;
  }

  static async start(options: FirecrackerOptions): Promise<FakeFirecracker> {
    let fake: FakeFirecracker | undefined;
    const api = await RestServer.listen(options.path, 'Firecracker API', (request) =>
      fake === undefined ? 'exit' : fake.#answer(request),
    );
    fake = new FakeFirecracker(options, api);
    return fake;
  }

  get state(): FirecrackerState {
    return this.#state;
  }

  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  inject(fault: RestFault, options: Parameters<RestServer['inject']>[1] = {}): void {
    this.api.inject(fault, options);
  }

  force(state: FirecrackerState): void {
    this.#state = state;
  }

  /** The process ends: 0 ok, 148 a forbidden system call, 152 a bad configuration … Idempotent. */
  exit(code = 0): void {
    if (this.#exitCode === undefined) this.#options.onExit?.(code);
    this.#exitCode ??= code;
    this.api.close();
  }

  /** There is no reboot: a guest that resets ends the process. */
  guestResets(): void {
    this.exit(0);
  }

  #answer({ method, path, body }: RestRequest): RestResponse {
    const [resource = '', id] = path.replace(/^\/+/, '').split('/');
    if (method === 'GET') {
      return body === undefined ? this.#get(path, resource, id) : refusal('GET request cannot have a body.');
    }
    if (body === undefined) return refusal(`Empty ${method} request.`);
    const value = parseObject(body);
    if (value === undefined) {
      return refusal(
        'An error occurred when deserializing the json body of a request: expected value at line 1 column 1.',
      );
    }
    if (method === 'PUT' && resource === 'actions') return this.#action(value);
    if (method === 'PATCH' && resource === 'vm') return this.#changeState(value);
    if (method === 'PUT' && RESOURCES.includes(resource)) return this.#configure(resource, id, value);
    return refusal(`Invalid request method and/or path: ${method} ${resource}.`);
  }

  #get(path: string, resource: string, id: string | undefined): RestResponse {
    if (resource === '') {
      const body = {
        id: this.#options.id ?? 'anonymous-instance',
        state: this.#state,
        vmm_version: '1.17.0',
        app_name: 'Firecracker',
      };
      return { status: 200, body };
    }
    if (resource === 'version') return { status: 200, body: { firecracker_version: '1.17.0' } };
    if (resource === 'machine-config') return { status: 200, body: this.#config.get(resource) ?? MACHINE };
    if (resource === 'vm' && id === 'config') return { status: 200, body: Object.fromEntries(this.#config) };
    return refusal(`Invalid request method and/or path: GET ${path.replace(/^\/+/, '').split('/')[0]}.`);
  }

  #configure(
    resource: string,
    id: string | undefined,
    value: Readonly<Record<string, unknown>>,
  ): RestResponse {
    const isNamed = resource === 'drives' || resource === 'network-interfaces';
    if (isNamed && (id === undefined || id === '')) return refusal('The ID cannot be empty.');
    if (this.#state !== 'Not started') {
      return refusal(HOT_PLUGGED.includes(resource) ? 'PCI is not enabled' : POST_BOOT);
    }
    const kernel = value.kernel_image_path;
    if (resource === 'boot-source' && (typeof kernel !== 'string' || !existsSync(kernel))) {
      return refusal(
        'Boot source error: The kernel file cannot be opened: No such file or directory (os error 2)',
      );
    }
    this.#config.set(isNamed ? `${resource}/${id}` : resource, value);
    return DONE;
  }

  #action({ action_type: action }: Readonly<Record<string, unknown>>): RestResponse {
    const hasStarted = this.#state !== 'Not started';
    switch (action) {
      case 'InstanceStart':
        if (hasStarted) return refusal(POST_BOOT);
        if (!this.#config.has('boot-source')) {
          return refusal('Start microvm error: Cannot start microvm without kernel configuration.');
        }
        this.#state = 'Running';
        return DONE;
      case 'SendCtrlAltDel':
        if (!hasStarted) return refusal(PRE_BOOT);
        if (this.#options.guestHeedsCtrlAltDel !== false && this.#state === 'Running') {
          setImmediate(() => this.guestResets());
        }
        return DONE;
      case 'FlushMetrics':
        if (!hasStarted) return refusal(PRE_BOOT);
        this.#options.onFlush?.();
        return DONE;
      default:
        return refusal(
          `An error occurred when deserializing the json body of a request: unknown variant \`${String(action)}\`, expected one of \`FlushMetrics\`, \`InstanceStart\`, \`SendCtrlAltDel\` at line 1 column 1.`,
        );
    }
  }

  /** Pausing what is paused, and resuming what runs, is done already. */
  #changeState({ state }: Readonly<Record<string, unknown>>): RestResponse {
    if (state !== 'Paused' && state !== 'Resumed') {
      return refusal(
        `An error occurred when deserializing the json body of a request: unknown variant \`${String(state)}\`, expected \`Paused\` or \`Resumed\` at line 1 column 1.`,
      );
    }
    if (this.#state === 'Not started') return refusal(PRE_BOOT);
    this.#state = state === 'Paused' ? 'Paused' : 'Running';
    return DONE;
  }
}

const MACHINE = {
  vcpu_count: 1,
  mem_size_mib: 128,
  smt: false,
  track_dirty_pages: false,
  huge_pages: 'None',
};

function refusal(text: string): RestResponse {
  return { status: 400, body: { fault_message: text } };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
