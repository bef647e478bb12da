import { Composer, type Document, LineCounter, Parser, type YAMLError } from 'yaml';
import { nestingDepth } from './nesting-depth.js';
import type { PathStep, Place, ProblemList } from './problems.js';
import { MAX_DEPTH, YamlReader } from './yaml-reader.js';

/** A file as it was read. `path` is how messages name it. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** A file that could not be read, and why, as `what is wrong; remedy`. */
export interface UnreadableFile {
  readonly path: string;
  readonly problem: string;
}

/** A `<…>` that was left to be filled in. */
export interface Placeholder {
  readonly path: readonly PathStep[];
  readonly place: Place;
  readonly text: string;
  /** The key itself is the placeholder; it is the last step of `path`. */
  readonly isKey: boolean;
}

/** One YAML document as plain data that knows where each part stands. */
export interface SourceDocument {
  readonly file: string;
  /** Mappings, lists and scalars; null members of mappings are left out, as Kubernetes does. */
  readonly value: unknown;
  readonly placeholders: readonly Placeholder[];
  /** Where the value of a path stands, or the nearest thing above it that exists. */
  placeOf(path: readonly PathStep[]): Place;
  /** Where the key of a path stands, or what placeOf says when there is none. */
  placeOfKey(path: readonly PathStep[]): Place;
}

/** `broken`: something in the file could not be read, so that what it should have defined is not known. */
export interface ParsedFile {
  readonly documents: readonly SourceDocument[];
  readonly broken: boolean;
}

export const MAX_FILE_BYTES = 1_048_576;
const MAX_DOCUMENTS = 1000;

/** What to do about the slips that are made most. */
const REMEDIES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_INDENT: 'check the indentation',
  MISSING_CHAR: 'add the character that is missing',
  BAD_ALIAS: 'write the name of an anchor',
  TAG_RESOLVE_FAILED: 'leave out the tag',
  UNEXPECTED_TOKEN: 'check indentation and quotes here',
  BLOCK_AS_IMPLICIT_KEY: 'put text with ": " in quotes, or check the indentation',
  BAD_SCALAR_START: 'put the text in quotes',
};

function syntaxMessage(error: YAMLError): string {
  if (error.code === 'NON_STRING_KEY') return 'has a key that is not text; write plain words as keys';
  const remedy = REMEDIES[error.code] ?? 'correct the syntax here';
  return `is not valid YAML: ${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}; ${remedy}`;
}

function placeAt(file: string, lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

/** The problem of a file above MAX_FILE_BYTES. */
export function tooLarge(bytes: number): string {
  return `has ${bytes} bytes; split the file, at most ${MAX_FILE_BYTES} are read`;
}

/** Reads every document of a file; what is wrong goes to `problems`. Bounded in size, number, depth and aliases. */
export function parseDocuments(source: SourceFile | UnreadableFile, problems: ProblemList): ParsedFile {
  const lines = new LineCounter();
  const at = (offset: number) => placeAt(source.path, lines, offset);
  const refuse = (offset: number, message: string): ParsedFile => {
    problems.add(at(offset), [], message);
    return { documents: [], broken: true };
  };
  if ('problem' in source) return refuse(0, source.problem);
  const bytes = Buffer.byteLength(source.text);
  if (bytes > MAX_FILE_BYTES) return refuse(0, tooLarge(bytes));
  // The composer recurses, and deep recursion ends the process: the depth is measured on the flat token tree first.
  const tokens = [...new Parser(lines.addNewLine).parse(source.text)];
  const deep = tokens.find((token) => nestingDepth(token, MAX_DEPTH) > MAX_DEPTH);
  if (deep !== undefined) return refuse(deep.offset, `is nested deeper than ${MAX_DEPTH} levels; flatten it`);
  if (tokens.filter(({ type }) => type === 'document').length > MAX_DOCUMENTS) {
    return refuse(0, `has more than ${MAX_DOCUMENTS} documents; split the file`);
  }
  const composer = new Composer({ version: '1.2', uniqueKeys: false, stringKeys: true });
  const documents: SourceDocument[] = [];
  let broken = false;
  for (const document of composer.compose(tokens)) {
    const syntax = firstError(document);
    if (syntax !== undefined) {
      problems.add(at(syntax.offset), [], syntax.message);
      broken = true;
      continue;
    }
    const reader = new YamlReader(source.path, at, problems);
    const value = reader.read(document);
    broken ||= reader.broken;
    if (!reader.broken && value !== null) documents.push(reader.document(value));
  }
  return { documents, broken };
}

function firstError(
  document: Document.Parsed,
): { readonly offset: number; readonly message: string } | undefined {
  const error = document.errors[0] ?? document.warnings[0];
  if (error !== undefined) return { offset: error.pos[0], message: syntaxMessage(error) };
  if (document.directives.yaml.version === '1.2') return undefined;
  return {
    offset: 0,
    message: 'asks for another version of YAML; remove the %YAML line, documents are YAML 1.2',
  };
}
