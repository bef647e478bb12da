import type { Deadline } from '../../../model/deadline.js';
import { VmpulseError } from '../../../model/errors.js';
import { type Call, type ConnectionState, LibvirtConnection, type Request } from './connection.js';
import { type DomainRef, readDomain, uuidBytes, writeDomain } from './domain.js';
import type { Program } from './packet.js';
import { readTypedParams } from './typed-params.js';
import { type XdrReader, XdrWriter } from './xdr.js';

/** Numbers of the procedures: they are given once and never change. */
const PROCEDURES = {
  open: 1,
  close: 2,
  createFrom: 10,
  getXml: 14,
  lookupByName: 23,
  lookupByUuid: 24,
  reboot: 27,
  resume: 28,
  suspend: 34,
  authList: 66,
  authPolkit: 70,
  libVersion: 157,
  attachDevice: 160,
  snapshot: 185,
  create: 196,
  getState: 212,
  controlInfo: 229,
  destroy: 234,
  reset: 245,
  shutdown: 258,
  registerEvent: 316,
  deregisterEvent: 317,
  stats: 344,
} as const;
const AGENT_COMMAND = 3;
/** What runs is changed, and not what is kept. */
const AFFECT_LIVE = 1;

const AUTH = { none: 0, sasl: 1, polkit: 2 } as const;
const MAX_AUTH_TYPES = 20;

export const STATS = { vcpu: 8, interface: 16, block: 32 } as const;
/** A domain of which somebody else asks something is not waited for. */
const STATS_NO_WAIT = 0x2000_0000;

/** What virDomainGetState says. */
export interface DomainState {
  readonly state: number;
  readonly reason: number;
}

/** Whether libvirt itself reaches the monitor of the domain's QEMU. */
export interface ControlInfo {
  /** `occupied`: it waits for an answer of QEMU. */
  readonly state: 'ok' | 'job' | 'occupied' | 'error';
  readonly forMs: number;
}

const CONTROL_STATES = ['ok', 'job', 'occupied', 'error'] as const;

export interface LibvirtOptions {
  readonly sockets: readonly string[];
  /** Which driver of libvirt's is asked for, for example `qemu:///system`. */
  readonly uri: string;
  /** Events of this domain are wanted; unset: of none. */
  readonly eventsOf?: { readonly domain: DomainRef; readonly ids: readonly number[] };
  readonly onState?: (state: ConnectionState) => void;
  readonly onMessage?: (procedure: number, body: XdrReader) => void;
}

/** libvirt's calls, each with a deadline. The owner closes it. */
export class Libvirt {
  readonly #connection: LibvirtConnection;

  constructor({ sockets, uri, eventsOf, onState = () => {}, onMessage = () => {} }: LibvirtOptions) {
    let registered: readonly number[] = [];
    this.#connection = new LibvirtConnection({
      sockets,
      greet: async (call, deadline) => {
        await authenticate(call, deadline);
        const name = new XdrWriter().optional(uri, (writer, text) => writer.string(text)).uint(0);
        await call(request('open', name), deadline);
        registered = eventsOf === undefined ? [] : await registerEvents(call, eventsOf, deadline);
      },
      // As libvirt's own client does; libvirtd notes every other end as an error in its log.
      farewell: async (call, deadline) => {
        for (const id of registered)
          await call(request('deregisterEvent', new XdrWriter().int(id)), deadline);
        await call(request('close', new XdrWriter()), deadline);
      },
      onState,
      onMessage,
    });
  }

  close(): void {
    this.#connection.close();
  }

  /** Throws ERR_VMPULSE_VM_NOT_RUNNING where libvirt has no such domain. */
  async lookup(domain: { readonly name: string } | { readonly uuid: string }, deadline: Deadline) {
    const found =
      'uuid' in domain
        ? this.#call('lookupByUuid', new XdrWriter().fixed(uuidBytes(domain.uuid)), deadline)
        : this.#call('lookupByName', new XdrWriter().string(domain.name), deadline);
    return readDomain(await found);
  }

  /** Starts a domain that is forgotten when it ends. */
  async createFrom(xml: string, deadline: Deadline): Promise<void> {
    await this.#call('createFrom', new XdrWriter().string(xml).uint(0), deadline);
  }

  /** The definition; of a running domain what it runs with. */
  async xml(domain: DomainRef, deadline: Deadline): Promise<string> {
    return (await this.#call('getXml', domainWith(domain).uint(0), deadline)).string();
  }

  async state(domain: DomainRef, deadline: Deadline): Promise<DomainState> {
    const answer = await this.#call('getState', domainWith(domain).uint(0), deadline);
    return { state: answer.int(), reason: answer.int() };
  }

  async controlInfo(domain: DomainRef, deadline: Deadline): Promise<ControlInfo> {
    const answer = await this.#call('controlInfo', domainWith(domain).uint(0), deadline);
    const state = CONTROL_STATES[answer.uint()] ?? 'error';
    answer.uint();
    return { state, forMs: Number(answer.unsignedHyper()) };
  }

  /** Statistics of one domain, by libvirt's names; empty where it does not run. `groups`: a sum of STATS. */
  async stats(domain: DomainRef, groups: number, deadline: Deadline) {
    const args = writeDomain(new XdrWriter().uint(1), domain).uint(groups).uint(STATS_NO_WAIT);
    const answer = await this.#call('stats', args, deadline);
    const records = answer.array(1, () => {
      readDomain(answer);
      return readTypedParams(answer);
    });
    return records[0] ?? new Map<string, number | string>();
  }

  /** Starts one that libvirt keeps. */
  async create(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('create', domainWith(domain).uint(0), deadline);
  }

  /** Ends it: SIGTERM, and after ten seconds SIGKILL. */
  async destroy(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('destroy', domainWith(domain).uint(0), deadline);
  }

  async suspend(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('suspend', domainWith(domain), deadline);
  }

  async resume(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('resume', domainWith(domain), deadline);
  }

  async reset(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('reset', domainWith(domain).uint(0), deadline);
  }

  /** The power button or the agent, whichever libvirt finds best; the domain stays running until the guest is off. */
  async shutdown(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('shutdown', domainWith(domain).uint(0), deadline);
  }

  async reboot(domain: DomainRef, deadline: Deadline): Promise<void> {
    await this.#call('reboot', domainWith(domain).uint(0), deadline);
  }

  /** Gives a running domain a device until it ends. */
  async attachDevice(domain: DomainRef, xml: string, deadline: Deadline): Promise<void> {
    await this.#call('attachDevice', domainWith(domain).string(xml).uint(AFFECT_LIVE), deadline);
  }

  /** Resolves when it is saved, which may take as long as its memory is large. */
  async snapshot(domain: DomainRef, xml: string, deadline: Deadline): Promise<void> {
    await this.#call('snapshot', domainWith(domain).string(xml).uint(0), deadline);
  }

  /** The text of the agent's answer. */
  async agentCommand(domain: DomainRef, command: string, seconds: number, deadline: Deadline) {
    const args = domainWith(domain).string(command).int(seconds).uint(0);
    const what = 'an agent command';
    const answer = await this.#connection.call(
      { what, program: 'qemu', procedure: AGENT_COMMAND, args: args.bytes() },
      deadline,
    );
    return answer.optional((reader) => reader.string()) ?? '';
  }

  /** As libvirt counts: major * 1000000 + minor * 1000 + release. */
  async version(deadline: Deadline): Promise<number> {
    return Number((await this.#call('libVersion', new XdrWriter(), deadline)).unsignedHyper());
  }

  #call(name: keyof typeof PROCEDURES, args: XdrWriter, deadline: Deadline): Promise<XdrReader> {
    return this.#connection.call(request(name, args), deadline);
  }
}

/** Asks over a connection that lasts no longer. */
export async function askLibvirt<T>(
  place: Pick<LibvirtOptions, 'sockets' | 'uri'>,
  ask: (libvirt: Libvirt) => Promise<T>,
): Promise<T> {
  const libvirt = new Libvirt(place);
  try {
    return await ask(libvirt);
  } finally {
    libvirt.close();
  }
}

function request(name: keyof typeof PROCEDURES, args: XdrWriter): Request {
  const program: Program = 'remote';
  return { what: name, program, procedure: PROCEDURES[name], args: args.bytes() };
}

function domainWith(domain: DomainRef): XdrWriter {
  return writeDomain(new XdrWriter(), domain);
}

/** root needs none; others are let in by polkit, or by the rights of the socket. */
async function authenticate(call: Call, deadline: Deadline): Promise<void> {
  const answer = await call(request('authList', new XdrWriter()), deadline);
  const types = answer.array(MAX_AUTH_TYPES, (reader) => reader.int());
  if (types.length === 0 || types.includes(AUTH.none)) return;
  if (types.includes(AUTH.polkit)) {
    await call(request('authPolkit', new XdrWriter()), deadline);
    return;
  }
  const text =
    'libvirt asks for a password (SASL), which vmpulse cannot give; set auth_unix_rw to none or polkit';
  throw new VmpulseError('ERR_VMPULSE_CHANNEL', text);
}

/** Resolves with the numbers by which they are taken back. */
async function registerEvents(
  call: Call,
  { domain, ids }: NonNullable<LibvirtOptions['eventsOf']>,
  deadline: Deadline,
): Promise<readonly number[]> {
  const registered: number[] = [];
  for (const id of ids) {
    const args = new XdrWriter().int(id).optional(domain, writeDomain);
    registered.push((await call(request('registerEvent', args), deadline)).int());
  }
  return registered;
}
