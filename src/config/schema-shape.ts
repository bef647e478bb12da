import { z } from 'zod';
import { given } from '../model/given.js';
import { isMapping } from './mapping.js';
import type { PathStep } from './problems.js';

/** What a schema says about one field, for messages and for the reference pages. */
export interface FieldShape {
  readonly type?: string;
  /** Fields of a mapping. */
  readonly properties?: ReadonlyMap<string, FieldShape>;
  /** Entries of a list, or values of a mapping whose keys are free. */
  readonly each?: FieldShape;
  readonly choices?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** Of a list: its entries. */
  readonly minItems?: number;
  readonly maxItems?: number;
  /** What it may be, where that is no number: `50ms to 1d`. */
  readonly bounds?: string;
  readonly unit?: string;
  readonly example?: string;
  /** For a mapping whose key is itself a choice: what it may be. */
  readonly keyChoices?: string;
}

const shapes = new WeakMap<z.ZodType, FieldShape>();

/** The shape of what a schema takes as input. */
export function shapeOf(schema: z.ZodType): FieldShape {
  let shape = shapes.get(schema);
  if (shape === undefined) {
    shape = convert(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }));
    shapes.set(schema, shape);
  }
  return shape;
}

/** The shape of a path, or undefined where the schema has nothing there. */
export function shapeAt(shape: FieldShape, path: readonly PathStep[]): FieldShape | undefined {
  return path.reduce<FieldShape | undefined>(
    (at, step) => (typeof step === 'string' ? at?.properties?.get(step) : undefined) ?? at?.each,
    shape,
  );
}

function pick<K extends string, T>(
  key: K,
  value: unknown,
  is: (value: unknown) => value is T,
): { [k in K]?: T } {
  const picked: { [k in K]?: T } = {};
  if (is(value)) picked[key] = value;
  return picked;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function convert(json: unknown): FieldShape {
  if (!isMapping(json)) return {};
  const each = json.items ?? json.additionalProperties;
  const choices = Array.isArray(json.enum)
    ? json.enum.map(String)
    : isText(json.const)
      ? [json.const]
      : undefined;
  return {
    ...pick('type', json.type, isText),
    ...(isMapping(json.properties)
      ? { properties: new Map(Object.entries(json.properties).map(([key, value]) => [key, convert(value)])) }
      : {}),
    ...(isMapping(each) ? { each: convert(each) } : {}),
    ...given({ choices }),
    ...pick('minimum', json.minimum, isNumber),
    ...pick('maximum', json.maximum, isNumber),
    ...pick('minItems', json.minItems, isNumber),
    ...pick('maxItems', json.maxItems, isNumber),
    ...pick('bounds', json.bounds, isText),
    ...pick('unit', json.unit, isText),
    ...pick('example', json.example, isText),
    ...pick('keyChoices', json.keyChoices, isText),
  };
}
