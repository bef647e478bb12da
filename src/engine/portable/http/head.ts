import { type Fault, fault, protocolError } from '../fault.js';
import { escapeBytes } from '../text.js';

const MAX_HEADERS = 128;
/** Version, status, reason phrase. Several blanks pass, as Go's client lets them. */
const STATUS_LINE = /^HTTP\/1\.([01]) +(\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** A name without a blank before the colon, and a value without control characters. */
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;
const FOLDED_LINE = /^[\t ][\t\x20-\x7e\x80-\xff]*$/;

/** The head of a response. Texts hold a byte a character. */
export interface Head {
  readonly status: number;
  readonly isHttp11: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Without the blanks around it. */
export function trimBlanks(text: string): string {
  return text.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '');
}

/** Reads a whole head. */
export function parseHead(bytes: Buffer): Head | Fault {
  // The last line is empty, the one before it ends the head.
  const lines = bytes.toString('latin1').split('\n').slice(0, -2);
  const [first = '', ...rest] = lines;
  const status = STATUS_LINE.exec(withoutReturn(first));
  if (status === null) return malformed(bytes, 'status line');
  const headers: [name: string, value: string][] = [];
  for (const [index, line] of rest.map(withoutReturn).entries()) {
    const last = headers.at(-1);
    const header = HEADER_LINE.exec(line);
    if (header !== null) {
      if (headers.length === MAX_HEADERS) {
        return fault('response-too-large', `the response has over ${MAX_HEADERS} headers`);
      }
      headers.push([header[1] ?? '', header[2] ?? '']);
    } else if (last !== undefined && FOLDED_LINE.test(line)) {
      last[1] += `${rest[index - 1]?.endsWith('\r') === true ? '\r\n' : '\n'}${line}`;
    } else {
      return malformed(bytes, 'header');
    }
  }
  return { status: Number(status[2]), isHttp11: status[1] === '1', headers };
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function malformed(bytes: Buffer, what: string): Fault {
  const end = bytes.indexOf(0x0a);
  return protocolError(
    `the response head is malformed (${what}); it begins "${escapeBytes(bytes.subarray(0, end), 64)}"`,
  );
}

/** The values of a header, trimmed. `name` in lower case. */
export function headerValues(head: Head, name: string): string[] {
  return head.headers.filter(([n]) => n.toLowerCase() === name).map(([, value]) => trimBlanks(value));
}

/** Whether the peer means to keep the connection. */
export function keepsAlive(head: Head): boolean {
  const options = headerValues(head, 'connection').flatMap((value) => value.split(','));
  const lists = (wanted: string): boolean =>
    options.some((option) => trimBlanks(option).toLowerCase() === wanted);
  return head.isHttp11 ? !lists('close') : lists('keep-alive');
}
