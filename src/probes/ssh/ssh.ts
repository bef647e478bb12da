import { isIP } from 'node:net';
import { VmpulseError } from '../../model/errors.js';
import type { ProbeCheck } from '../../model/probe.js';
import { overAddresses } from '../addresses.js';
import type { ExternalProbe, ExternalSetting, Finding, LookOptions } from '../external.js';
import { defineKind } from '../probe-kind.js';
import { hostPort, parseHostPort } from '../target-text.js';
import { sshSchema } from './options.js';
import { outcomeOf, SSH_RESULT, type SshTask } from './task.js';

type SshCheck = Extract<ProbeCheck, { kind: 'ssh' }>;

const TARGET = 'host:port, for example 192.0.2.10:22; only the banner is looked at';
/** Works from src/ and from dist/: worker modules are always the built ones. */
const WORKER = new URL('../../../dist/probes/ssh/worker.js', import.meta.url);
/** The task ends by itself; its thread is ended if it does not. */
const SLACK_MS = 1_000;

/** Talks to an SSH server: its banner, a log-in, or a command. */
export const ssh = defineKind<SshCheck>({
  kind: 'ssh',
  aliases: [],
  summary: 'asks an SSH server for its banner; in documents also a log-in or a command',
  targetHelp: TARGET,
  schema: sshSchema.transform((options): SshCheck => ({ kind: 'ssh', ssh: options })),
  parseTarget: (text, name) => ({
    check: { kind: 'ssh', ssh: { ...parseHostPort(text, name, TARGET), level: 'banner' } },
  }),
  lookups: ({ ssh: { host } }) => (host === undefined ? { vmAddress: true } : {}),
  guestPort: ({ ssh: options }) => ({
    port: options.port,
    askedAt: (place) => ({ kind: 'ssh', ssh: { ...options, ...place } }),
  }),
  open: (check, setting) => new SshProbe(check, setting),
  label: ({ ssh: { host, port, level } }) =>
    `SSH ${level} of ${host === undefined ? `port ${port}` : hostPort(host, port)}`,
});

class SshProbe implements ExternalProbe {
  readonly #check: SshCheck;
  readonly #setting: ExternalSetting;
  readonly #host: string;

  constructor(check: SshCheck, setting: ExternalSetting) {
    const host = check.ssh.host ?? setting.vm?.address;
    if (host === undefined)
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'an ssh probe needs a host; the VM has no address');
    this.#check = check;
    this.#setting = setting;
    this.#host = host;
  }

  probe({ deadlineMs, signal }: LookOptions): Promise<Finding> {
    const where = { host: this.#host, resolveHost: this.#setting.resolveHost };
    return overAddresses(where, deadlineMs, (address, timeoutMs) =>
      this.#attempt(address, timeoutMs, signal),
    );
  }

  async #attempt(address: string, timeoutMs: number, signal: AbortSignal): Promise<Finding> {
    const task: SshTask = { ssh: this.#check.ssh, address, hostName: this.#host, timeoutMs };
    const call = { deadlineMs: timeoutMs + SLACK_MS, signal };
    const { verdict, message, software, exitCode } = SSH_RESULT.parse(
      await this.#setting.runTogether(WORKER, task, call),
    );
    return {
      outcome: outcomeOf(verdict),
      ...(message === '' ? {} : { message }),
      details: {
        ...(software === '' ? {} : { software }),
        ...(exitCode === null ? {} : { exitCode }),
        ...(isIP(this.#host) === 0 ? { address } : {}),
      },
    };
  }
}
