import { Deadline } from '../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import type {
  GuestAccess,
  GuestCommandOptions,
  GuestCommandResult,
  GuestResources,
  ToldAddress,
} from '../model/guest.js';
import type { CallOptions } from '../model/ports.js';
import type { AgentPort } from './agent-port.js';
import { GuestExec } from './guest-exec.js';
import { guestOsId } from './os-id.js';
import { QgaResources } from './qga-resources.js';
import { toldAddresses } from './told-addresses.js';
import { vmpulseResources } from './vmpulse-resources.js';

/** The agents of one guest, those that it has. Their channels belong to the caller. */
export interface AgentChannels {
  /** The QEMU guest agent. */
  readonly qemu?: AgentPort | undefined;
  /** vmpulse's own. */
  readonly vmpulse?: AgentPort | undefined;
}

/** One way to the guest through whichever agents it has. */
export class GuestAgents implements GuestAccess {
  readonly #name: string;
  readonly #qemu: { readonly exec: GuestExec; readonly resources: QgaResources } | undefined;
  readonly #vmpulse: GuestExec | undefined;
  readonly #channels: AgentChannels;

  /** `name`: of the VM, for messages. */
  constructor(name: string, channels: AgentChannels) {
    const { qemu, vmpulse } = channels;
    this.#name = name;
    this.#channels = channels;
    if (vmpulse !== undefined) this.#vmpulse = new GuestExec(vmpulse);
    if (qemu === undefined) return;
    const exec = new GuestExec(qemu);
    this.#qemu = { exec, resources: new QgaResources(qemu, exec) };
  }

  /** vmpulse's agent is asked first; what its guest does not allow it, the QEMU guest agent may still be allowed. */
  async exec(argv: readonly string[], options: GuestCommandOptions): Promise<GuestCommandResult> {
    const deadline = this.#deadline(`guest command ${argv[0]}`, options);
    const command = { argv, input: options.input };
    const [first, second] = [this.#vmpulse, this.#qemu?.exec];
    if (first === undefined) return this.#needed(second).run(command, deadline);
    if (second !== undefined && this.#channels.vmpulse?.connected !== true)
      return second.run(command, deadline);
    try {
      return await first.run({ ...command, timeoutMs: deadline.remainingMs() }, deadline);
    } catch (error) {
      const isForbidden =
        isVmpulseError(error, 'ERR_VMPULSE_COMMAND') && error.details.class === 'CommandNotAllowed';
      if (second === undefined || !isForbidden) throw error;
      return second.run(command, deadline);
    }
  }

  async resources(options: CallOptions): Promise<GuestResources> {
    const deadline = this.#deadline('resources', options);
    const { vmpulse } = this.#channels;
    const qemu = this.#qemu?.resources;
    if (vmpulse !== undefined && (vmpulse.connected || qemu === undefined))
      return vmpulseResources(vmpulse, deadline);
    return this.#needed(qemu).read(deadline);
  }

  async osId(options: CallOptions): Promise<string | undefined> {
    const agent = this.#channels.qemu ?? this.#channels.vmpulse;
    return guestOsId(this.#needed(agent), this.#deadline('question for the guest system', options));
  }

  async addresses(options: CallOptions): Promise<readonly ToldAddress[]> {
    const { qemu, vmpulse } = this.#channels;
    const agent = vmpulse !== undefined && (vmpulse.connected || qemu === undefined) ? vmpulse : qemu;
    return toldAddresses(this.#needed(agent), this.#deadline('addresses', options));
  }

  #deadline(what: string, options: CallOptions): Deadline {
    return new Deadline(`${what} of ${this.#name}`, options);
  }

  #needed<T>(agent: T | undefined): T {
    if (agent !== undefined) return agent;
    const text = `${this.#name} has no guest agent channel; give it one (guestAgent or vmpulseAgent) to ask its guest`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  }
}
