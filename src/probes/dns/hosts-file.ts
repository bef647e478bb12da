import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

const MAX_BYTES = 1024 * 1024;

/** Names that a file in the format of /etc/hosts gives addresses; read again when it has changed. */
export class HostsFile {
  readonly #path: string;
  #stamp = '';
  #addresses = new Map<string, string[]>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Empty when the file does not have the name, or cannot be read. */
  async addressesOf(name: string): Promise<readonly string[]> {
    await this.#refresh().catch(() => this.#addresses.clear());
    return this.#addresses.get(name) ?? [];
  }

  async #refresh(): Promise<void> {
    const { mtimeMs, size, ino } = await stat(this.#path);
    const stamp = `${mtimeMs} ${size} ${ino}`;
    if (stamp === this.#stamp) return;
    if (size > MAX_BYTES) throw new RangeError(`${this.#path} is larger than ${MAX_BYTES} bytes`);
    this.#addresses = parse(await readFile(this.#path, 'utf8'));
    this.#stamp = stamp;
  }
}

function parse(text: string): Map<string, string[]> {
  const addresses = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (isIP(address) === 0 || address.includes('%')) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      addresses.set(key, [...(addresses.get(key) ?? []), address]);
    }
  }
  return addresses;
}
