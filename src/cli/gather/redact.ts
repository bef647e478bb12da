import { readFileSync, statSync } from 'node:fs';

const GONE = '[redacted]';
const MAX_SECRET_FILE_BYTES = 4096;
/** A shorter value would be found by chance, and reveal where. */
const MIN_KNOWN_CHARS = 6;

const WORDS = 'password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential';
/** Members whose values are secrets, or may hold some. */
const SECRET_MEMBER = new RegExp(
  `${WORDS}|authorization|cookie|userData|networkConfig|metaData|webhook|slack|headers?$|^env(ironment)?$|^(body|send)$|^pass$`,
  'i',
);
/** Members that name a file with a secret in it. */
const SECRET_FILE = new RegExp(`(${WORDS}|pass|key|header).*(file|path)$`, 'i');

/** What secrets look like in texts of any kind; what follows the first two groups goes. */
const LOOKS: readonly RegExp[] = [
  /()()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)\b(["']?\s*[:=]\s*["']?)[^\r\n"']+/gi,
  new RegExp(`([\\w.-]*(?:${WORDS})[\\w.-]*)(\\\\?["']?\\s*[:=]\\s*\\\\?["']?)[^\\s"',;&}\\\\]+`, 'gi'),
  new RegExp(`(--?[\\w-]*(?:${WORDS})[\\w-]*)(\\\\?["']?[\\s,]+\\\\?["']?)[^\\s"',\\]\\\\]+`, 'gi'),
  /\b(bearer|basic)(\s+)[A-Za-z0-9+/_.~=-]{8,}/gi,
  /(\bsecret,[^\s]*?)(\bdata=)[^\s,]+/gi,
  /([a-z][a-z0-9+.-]*:\/\/)()[^\s/@"']+@/gi,
  /(hooks\.slack\.com\/)(services\/)[^\s"']+/gi,
  /()()\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,})/g,
  /()()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g,
  /()()\$(?:[156y]|2[aby]|argon2[a-z]*)\$[./A-Za-z0-9$=,+-]{16,}/g,
];

/** An item of a list that stands as far left as the member whose list it is. */
function isItemAt(line: string, column: number): boolean {
  return line.search(/\S/) === column && line[column] === '-';
}

/**
 * Takes secrets out of what leaves the host. It learns those that the configuration has, by the names of their members
 * and from the files it names, and then removes them from every text, together with what looks like one.
 */
export class Redactor {
  readonly #known = new Set<string>();

  /** The same data without what may be secret. Learns what it takes out. */
  data(value: unknown): unknown {
    return this.#data(value, '');
  }

  /** A text of any encoding, as latin1, without secrets. */
  text(text: string): string {
    let clean = text;
    // Longer ones first: one may be a part of another.
    for (const secret of [...this.#known].sort((a, b) => b.length - a.length))
      if (clean.includes(secret)) clean = clean.replaceAll(secret, GONE);
    for (const look of LOOKS) clean = clean.replace(look, `$1$2${GONE}`);
    return clean;
  }

  /**
   * A document that cannot be parsed, as latin1. Whatever stands behind the name of a secret goes, to the end of its line and
   * of what is indented below it. Learns what it takes out.
   */
  source(text: string): string {
    let goneFrom: number | undefined;
    const lines = text.split('\n').map((line) => {
      const column = line.search(/\S/);
      const isBelow = goneFrom !== undefined && (column > goneFrom || isItemAt(line, goneFrom));
      if (column < 0) return line;
      if (isBelow) {
        this.#learnPieces(line);
        return `${' '.repeat(column)}${GONE}`;
      }
      goneFrom = undefined;
      const secret = this.#secretIn(line);
      if (secret === undefined) return line;
      goneFrom = /^[\s-]*/.exec(line)?.[0].length ?? 0;
      this.#learnPieces(line.slice(secret));
      return `${line.slice(0, secret)} ${GONE}`;
    });
    return lines.join('\n');
  }

  /** Where in a line of a document the value of a secret begins. */
  #secretIn(line: string): number | undefined {
    for (const found of line.matchAll(/["']?([\w.-]+)["']?\s*[:=]/g)) {
      const [whole, name = ''] = found;
      const end = found.index + whole.length;
      if (SECRET_FILE.test(name)) this.#learnFile(/[^\s"',}\]]+/.exec(line.slice(end))?.[0] ?? '');
      else if (SECRET_MEMBER.test(name) || name === 'value') return end;
    }
    return undefined;
  }

  #learnPieces(text: string): void {
    const bare = (piece: string) => piece.replace(/^[\s"'[{(-]+|[\s"'\]}),]+$/g, '');
    for (const piece of [text, ...text.split(/[:=,]\s*/).slice(1)]) this.#learn(bare(piece));
  }

  #data(value: unknown, member: string): unknown {
    if (typeof value === 'string') return this.#string(value, member);
    if (Array.isArray(value)) return value.map((item) => this.#data(item, member));
    if (typeof value !== 'object' || value === null)
      return SECRET_MEMBER.test(member) && value !== null && typeof value !== 'boolean' ? GONE : value;
    const members = Object.entries(value);
    // A header or a variable: `{name, value}`.
    const isNamed = 'name' in value && 'value' in value;
    return Object.fromEntries(
      members.map(([name, item]) => {
        const inherited = SECRET_MEMBER.test(member) ? member : name;
        const isPath = typeof item === 'string' && SECRET_FILE.test(name);
        if (isPath) this.#learnFile(item);
        return [name, this.#data(item, isPath ? '' : isNamed && name === 'value' ? 'secret' : inherited)];
      }),
    );
  }

  #string(value: string, member: string): string {
    if (!SECRET_MEMBER.test(member)) return value;
    this.#learn(value);
    // A script or a file has its secrets in its lines.
    for (const [, , secret = ''] of value.matchAll(
      /(["']?[\w-]*(?:pass|token|secret|key)[\w-]*["']?\s*[:=]\s*)["']?([^\s"']+)/gi,
    ))
      this.#learn(secret);
    return GONE;
  }

  #learn(value: string): void {
    const secret = value.trim();
    if (secret.length < MIN_KNOWN_CHARS) return;
    // As it stands in bytes, and as JSON has it.
    for (const form of [secret, JSON.stringify(secret).slice(1, -1)])
      this.#known.add(Buffer.from(form, 'utf8').toString('latin1'));
  }

  #learnFile(path: string): void {
    try {
      if (statSync(path).isFile() && statSync(path).size <= MAX_SECRET_FILE_BYTES)
        this.#learn(readFileSync(path, 'utf8'));
    } catch {
      // A file that cannot be read gives nothing away.
    }
  }
}
