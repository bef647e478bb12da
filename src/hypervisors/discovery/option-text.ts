/** An option's value, as QEMU and Cloud Hypervisor write it: `a=b,c=d`. A name may come several times. */
export type Properties = readonly (readonly [name: string, value: string])[];

/** What stands at a name first; undefined: nothing. */
export function propertyOf(properties: Properties, ...names: readonly string[]): string | undefined {
  return properties.find(([name]) => names.includes(name))?.[1];
}

/** Whether something is switched on; a bare name counts as `on`. */
export function isOn(properties: Properties, name: string): boolean {
  const value = propertyOf(properties, name);
  return value !== undefined && /^(on|yes|true|)$/.test(value);
}

/**
 * Divides QEMU's list at its commas; two of them are one in a value. The first part without `=` is the value of
 * `implied`; later ones are names alone. JSON is read as well, nested names divided by dots.
 */
export function parseProperties(text: string, implied: string): Properties {
  if (text.startsWith('{')) return fromJson(text);
  const parts = text
    .replaceAll(',,', '\0')
    .split(',')
    .map((part) => part.replaceAll('\0', ','));
  return parts.map((part, index) => {
    const equals = part.indexOf('=');
    if (equals !== -1) return [part.slice(0, equals), part.slice(equals + 1)];
    return index === 0 ? [implied, part] : [part, ''];
  });
}

function fromJson(text: string): Properties {
  try {
    return flatten(JSON.parse(text), '');
  } catch {
    return [];
  }
}

function flatten(value: unknown, prefix: string): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[prefix, switchText(value)]];
  return Object.entries(value).flatMap(([key, item]) =>
    flatten(item, prefix === '' ? key : `${prefix}.${key}`),
  );
}

function switchText(value: unknown): string {
  return value === true ? 'on' : value === false ? 'off' : String(value);
}

/** A size such as `512M` or `2GiB` in MiB; one without a unit counts in `unitBytes`. Undefined: no size. */
export function sizeMiB(text: string | undefined, unitBytes: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text ?? '');
  if (match === null) return undefined;
  const power = ' KMGT'.indexOf((match[2] ?? '').toUpperCase() || ' ');
  const bytes = Number(match[1]) * (power === 0 ? unitBytes : 1024 ** power);
  return Math.round(bytes / 1024 ** 2);
}
