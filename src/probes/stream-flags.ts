import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import { plainText } from '../model/plain-text.js';
import type { ExchangeScript, ExchangeStep, GrpcCheck, StreamTls } from '../model/probe.js';
import { expectRegexProblem, MAX_EXPECT_BYTES, MAX_SEND_BYTES, readText } from './exchange-options.js';
import { hostProblem } from './fields.js';
import type { ProbeTarget } from './probe-kind.js';

/** Options of `vmpulse probe` for conversations, as they were typed. */
export interface StreamFlags {
  /** `send:TEXT`, `expect:TEXT`, `regex:REGEX` or `start-tls`, in their order. */
  readonly steps?: readonly string[];
  readonly tls?: boolean;
  readonly verify?: boolean;
  /** The name that TLS (and gRPC) asks for. */
  readonly host?: string;
}

function usage(message: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_USAGE', message);
}

/** Reads one --step. Throws ERR_VMPULSE_USAGE. */
function parseStep(text: string): ExchangeStep {
  if (text === 'start-tls') return { startTls: true };
  const [, verb, rest = ''] = /^(send|expect|regex):(.*)$/s.exec(text) ?? [];
  const refuse = (problem: string) => usage(`--step ${plainText(text)} ${problem}`);
  switch (verb) {
    case 'send':
    case 'expect': {
      const bytes = readText(rest, verb === 'send' ? MAX_SEND_BYTES : MAX_EXPECT_BYTES);
      if (typeof bytes === 'string') throw refuse(bytes);
      const hex = bytes.toString('hex');
      return verb === 'send' ? { send: hex } : { expect: hex };
    }
    case 'regex': {
      const wrong = expectRegexProblem(rest);
      if (wrong !== undefined) throw refuse(wrong);
      return { expectRegex: rest };
    }
    default:
      throw refuse("is not a step; write 'send:TEXT', 'expect:TEXT', 'regex:REGEX' or start-tls");
  }
}

/** Which TLS the options ask for; `isUpgraded`: a step begins it. */
function tlsOf({ tls, verify, host }: StreamFlags, isUpgraded: boolean): StreamTls | undefined {
  if (tls === true && isUpgraded)
    throw usage('--tls and --step start-tls exclude each other; give one of them');
  if (tls !== true && !isUpgraded) {
    if (verify === true || host !== undefined) throw usage('--verify and --host need TLS; add --tls');
    return undefined;
  }
  const wrong = host === undefined ? undefined : hostProblem(host);
  if (wrong !== undefined) throw usage(`--host ${wrong}`);
  return {
    ...given({ serverName: host, verify }),
  };
}

function scriptOf(flags: StreamFlags): ExchangeScript {
  const steps = (flags.steps ?? []).map(parseStep);
  const tls = tlsOf(
    flags,
    steps.some((step) => 'startTls' in step),
  );
  const last = steps.at(-1);
  if (last !== undefined ? 'send' in last : tls === undefined)
    throw usage("nothing is expected; end with a step such as --step 'expect:SSH-2.0-'");
  return { steps, ...given({ tls }) };
}

/** What is asked of another name than that of the target: authority, and where there is TLS its name, too. */
function grpcOf(flags: StreamFlags): Pick<GrpcCheck, 'authority' | 'tls'> {
  const { host, ...rest } = flags;
  const tls = tlsOf(rest.tls === true ? flags : rest, false);
  const wrong = host === undefined ? undefined : hostProblem(host);
  if (wrong !== undefined) throw usage(`--host ${wrong}`);
  return {
    ...(host === undefined ? {} : { authority: host.includes(':') ? `[${host}]` : host }),
    ...given({ tls }),
  };
}

/** Lays the options of the command line over a target of a conversation. Throws ERR_VMPULSE_USAGE. */
export function withStreamFlags(target: ProbeTarget, flags: StreamFlags): ProbeTarget {
  const { check } = target;
  if (check.kind === 'tcpExchange')
    return { ...target, check: { ...check, exchange: { ...check.exchange, ...scriptOf(flags) } } };
  if (check.kind === 'grpc')
    return { ...target, check: { ...check, grpc: { ...check.grpc, ...grpcOf(flags) } } };
  const isGiven = [flags.steps, flags.tls, flags.verify, flags.host].some((flag) => flag !== undefined);
  return check.kind === 'vsock' && isGiven
    ? { ...target, check: { ...check, vsock: { ...check.vsock, exchange: scriptOf(flags) } } }
    : target;
}
