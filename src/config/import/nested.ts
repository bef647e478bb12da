/** Values by paths such as `probes.timeout`, as a mapping in a mapping. */
export function nested(
  values: Iterable<{ readonly path: string; readonly value: unknown }>,
): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path, value } of values) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let at = root;
    for (const step of steps) {
      const below: Record<string, unknown> = {};
      Object.assign(below, at[step]);
      at[step] = below;
      at = below;
    }
    at[last] = value;
  }
  return root;
}

/** A word as a shell takes it. */
export function quoted(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
