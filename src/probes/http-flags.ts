import { VmpulseError } from '../model/errors.js';
import { given } from '../model/given.js';
import { plainText } from '../model/plain-text.js';
import type { HttpGetOptions } from '../model/probe.js';
import {
  bodyRegexProblem,
  headerNameProblem,
  headerValueProblem,
  methodProblem,
  parseStatusRange,
} from './http-options.js';
import type { ProbeTarget } from './probe-kind.js';

/** HTTP options of `vmpulse probe`, as they were typed. */
export interface HttpFlags {
  /** `Name: value`; an empty value removes a default header. */
  readonly headers?: readonly string[];
  readonly method?: string;
  /** The host that is asked for: header `Host` and TLS name. */
  readonly host?: string;
  /** Statuses and ranges, for example `200-299,404`. */
  readonly expectStatus?: string;
  /** Regular expression for the body. */
  readonly expectBody?: string;
  readonly verify?: boolean;
}

function usage(message: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_USAGE', message);
}

function parseHeader(text: string): readonly [name: string, value: string] {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0)).trim();
  const value = text.slice(colon + 1).trim();
  if (colon < 1 || headerNameProblem(name) !== undefined || headerValueProblem(value) !== undefined) {
    throw usage(`"${plainText(text)}" is not a header; write --header 'Name: value'`);
  }
  return [name, value];
}

function parseStatuses(text: string): readonly (readonly [from: number, to: number])[] {
  return text.split(',').map((part) => {
    const range = parseStatusRange(part.trim());
    if (range !== undefined) return range;
    throw usage(`"${plainText(part)}" is not a status or a range; write --expect-status 200-299,404`);
  });
}

function checked(flag: string, text: string, problem: (text: string) => string | undefined): string {
  const wrong = problem(text);
  if (wrong !== undefined) throw usage(`${flag} ${plainText(text)} ${wrong}`);
  return text;
}

function apply(http: HttpGetOptions, flags: HttpFlags): HttpGetOptions {
  const { expectStatus, expectBody, method, host, verify } = flags;
  if (verify === true && http.scheme !== 'https') throw usage('--verify needs TLS; give an https:// URL');
  const expect = {
    ...http.expect,
    ...(expectStatus === undefined ? {} : { status: parseStatuses(expectStatus) }),
    ...(expectBody === undefined
      ? {}
      : { bodyRegex: checked('--expect-body', expectBody, bodyRegexProblem) }),
  };
  const headers = (flags.headers ?? []).map(parseHeader);
  if (host !== undefined && headers.some(([name]) => name.toLowerCase() === 'host')) {
    throw usage("--host and --header 'Host: …' say the same; give one of them");
  }
  const hostHeader = host === undefined ? [] : [parseHeader(`Host: ${host}`)];
  return {
    ...http,
    headers: [...http.headers, ...headers, ...hostHeader],
    ...(method === undefined ? {} : { method: checked('--method', method, methodProblem) }),
    ...given({ verify }),
    ...(Object.keys(expect).length === 0 ? {} : { expect }),
  };
}

/** Lays the HTTP options of the command line over a target that speaks HTTP. Throws ERR_VMPULSE_USAGE. */
export function withHttpFlags(target: ProbeTarget, flags: HttpFlags): ProbeTarget {
  const { check } = target;
  const { headers = [], ...rest } = flags;
  const isGiven = headers.length > 0 || Object.values(rest).some((flag) => flag !== undefined);
  if (check.kind !== 'httpGet' || !isGiven) return target;
  return { ...target, check: { ...check, http: apply(check.http, flags) } };
}
