import type { DiskSpec } from '../../model/hypervisor.js';

/** What a start of a domain that libvirt keeps needs of the host, read from its XML. */
export interface DomainDescription {
  readonly emulator?: string;
  readonly memoryMiB: number;
  readonly disks: readonly DiskSpec[];
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KB: 1e3,
  k: 1024,
  KiB: 1024,
  MB: 1e6,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1e9,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1e12,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
};
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const MAX_DISKS = 256;

/** Reads libvirt's own XML, which it writes without comments, CDATA or namespaces in these elements. */
export function describeDomain(xml: string): DomainDescription {
  const emulator = /<emulator>([^<]+)<\/emulator>/.exec(xml)?.[1];
  const [, attributes = '', amount = '0'] = /<memory\b([^>]*)>(\d+)<\/memory>/.exec(xml) ?? [];
  const factor = UNITS[attributeOf(attributes, 'unit') ?? 'KiB'] ?? 1024;
  return {
    ...(emulator === undefined ? {} : { emulator: unescaped(emulator) }),
    memoryMiB: Math.ceil((Number(amount) * factor) / 1024 ** 2),
    disks: [...xml.matchAll(/<disk\b[^>]*>.*?<\/disk>/gs)]
      .slice(0, MAX_DISKS)
      .flatMap(([text]) => diskOf(text)),
  };
}

/** Files and block devices of this host; what lies in a pool, on a network or is an empty drive is libvirt's to judge. */
function diskOf(text: string): DiskSpec[] {
  // What stands below is the chain of images under it.
  const own = text.replace(/<backingStore\b.*<\/backingStore>/s, '');
  const source = /<source\b([^>]*)>/.exec(own)?.[1] ?? '';
  const path = attributeOf(source, 'file') ?? attributeOf(source, 'dev');
  if (path === undefined) return [];
  const type = attributeOf(/<driver\b([^>]*)>/.exec(own)?.[1] ?? '', 'type');
  const name = attributeOf(/<target\b([^>]*)>/.exec(own)?.[1] ?? '', 'dev') ?? 'disk';
  // Whoever marks a disk as shared answers for what is written to it.
  const readOnly = /<readonly\/>|<shareable\/>/.test(own);
  return [{ name, path, format: type === 'qcow2' ? 'qcow2' : 'raw', readOnly }];
}

function attributeOf(attributes: string, name: string): string | undefined {
  const found = new RegExp(`\\b${name}=(?:'([^']*)'|"([^"]*)")`).exec(attributes);
  const value = found?.[1] ?? found?.[2];
  return value === undefined ? undefined : unescaped(value);
}

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
  });
}
