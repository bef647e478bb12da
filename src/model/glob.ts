/** Whether a name matches a pattern in which `*` stands for any characters and `?` for one; the rest is literal. */
export function matchesGlob(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/[^*?]+/g, (text) => text.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&'));
  // Runs of stars mean one, and would make the matching slow.
  const regex = source.replaceAll(/\*+/g, '.*').replaceAll('?', '.');
  return new RegExp(`^${regex}$`, 's').test(name);
}
