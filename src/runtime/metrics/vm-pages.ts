import type { VmId } from '../../model/vm.js';
import { type VmFamily, vmFamilies, vmLines } from './vm-families.js';
import type { VmRow } from './vm-row.js';

/** The text of one metric of all VMs: the lines of each, and all of them joined until one changes. */
class Page {
  readonly family: VmFamily;
  readonly #header: string;
  readonly #lines = new Map<VmId, string>();
  #bytes: Uint8Array | undefined;

  constructor(family: VmFamily) {
    this.family = family;
    this.#header = `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n`;
  }

  put(row: VmRow): void {
    const lines = vmLines(this.family, row);
    if (this.#lines.get(row.id) === lines) return;
    this.#lines.set(row.id, lines);
    this.#bytes = undefined;
  }

  drop(id: VmId): void {
    if (this.#lines.delete(id)) this.#bytes = undefined;
  }

  /** Empty while no VM has it. */
  bytes(): Uint8Array {
    this.#bytes ??= Buffer.from(this.#text());
    return this.#bytes;
  }

  #text(): string {
    const body = [...this.#lines.values()].join('');
    return body === '' ? '' : this.#header + body;
  }
}

/** The text of the metrics of all VMs. */
export class VmPages {
  readonly #pages: readonly Page[];

  constructor(options: { readonly seedNames: boolean }) {
    this.#pages = vmFamilies(options.seedNames).map((family) => new Page(family));
  }

  apply(rows: readonly VmRow[], gone: readonly VmId[]): void {
    for (const page of this.#pages) {
      for (const id of gone) page.drop(id);
      for (const row of rows) page.put(row);
    }
  }

  /** `head`, and then every page. */
  render(head: string): Uint8Array<ArrayBuffer> {
    const parts = [Buffer.from(head), ...this.#pages.map((page) => page.bytes())];
    const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }
}
