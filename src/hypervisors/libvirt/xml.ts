import { malformed } from './rpc/xdr.js';

/** One element, with what stands directly in it. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

interface OpenElement extends XmlElement {
  readonly children: OpenElement[];
  text: string;
}

const NAME = /[^\s/>=]+/y;
const ATTRIBUTE = /\s+([^\s/>=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/y;
const TAG_END = /\s*(\/?)>/y;
/** What is no element, and how it ends. */
const OTHERS = [
  ['<!--', '-->'],
  ['<?', '?>'],
  ['<!', '>'],
] as const;
const CDATA = '<![CDATA[';
const CDATA_END = ']]>';
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * Reads a document as libvirt writes it, once from its beginning to its end: what others have put into it may be large.
 * Gives its outermost element. Throws ERR_VMPULSE_CHANNEL for what is no XML.
 */
export function parseXml(source: string): XmlElement {
  const document = newElement('', new Map());
  const open = [document];
  let at = 0;
  while (at < source.length) {
    const inside = open.at(-1) ?? document;
    const start = endOr(source.indexOf('<', at), source);
    if (start > at) inside.text += unescaped(source.slice(at, start));
    if (start === source.length) break;
    const other = OTHERS.find(([begin]) => source.startsWith(begin, start));
    if (source.startsWith(CDATA, start)) {
      at = behind(source, CDATA_END, start);
      inside.text += source.slice(start + CDATA.length, at - CDATA_END.length);
    } else if (other !== undefined) {
      at = behind(source, other[1], start + other[0].length);
    } else if (source.startsWith('</', start)) {
      at = behind(source, '>', start);
      if (open.length === 1 || source.slice(start + 2, at - 1).trimEnd() !== inside.name) throw noXml();
      open.pop();
    } else {
      const tag = readTag(source, start + 1);
      inside.children.push(tag.element);
      if (!tag.isWhole) open.push(tag.element);
      at = tag.end;
    }
  }
  const [root, ...others] = document.children;
  if (root === undefined || others.length > 0 || open.length > 1) throw noXml();
  return root;
}

/** The first element of that name directly in it. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** Text as it may stand in an element or an attribute; of control characters only those that an attribute would lose. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\t\n\r]/g, (char) => {
    const name = Object.entries(ENTITIES).find(([, meant]) => meant === char)?.[0];
    return name === undefined ? `&#${char.charCodeAt(0)};` : `&${name};`;
  });
}

function readTag(source: string, start: number) {
  const name = matchAt(NAME, source, start)?.[0];
  if (name === undefined) throw noXml();
  const attributes = new Map<string, string>();
  let at = start + name.length;
  for (let found = matchAt(ATTRIBUTE, source, at); found; found = matchAt(ATTRIBUTE, source, at)) {
    const [whole, key = '', double, single] = found;
    attributes.set(key, unescaped(double ?? single ?? ''));
    at += whole.length;
  }
  const end = matchAt(TAG_END, source, at);
  if (end === null) throw noXml();
  return { element: newElement(name, attributes), isWhole: end[1] === '/', end: at + end[0].length };
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

function newElement(name: string, attributes: ReadonlyMap<string, string>): OpenElement {
  return { name, attributes, children: [], text: '' };
}

function behind(source: string, end: string, from: number): number {
  const at = source.indexOf(end, from);
  if (at < 0) throw noXml();
  return at + end.length;
}

function endOr(at: number, source: string): number {
  return at < 0 ? source.length : at;
}

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
  });
}

function noXml() {
  return malformed('a description that is no XML');
}
