/** T with what may be undefined in it as what may be missing. */
type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** A copy of `fields` without those that are undefined, for objects in which a field that nobody said must not be there. */
export function given<T extends object>(fields: T): Given<T> {
  const said = { ...fields };
  for (const key in said) if (said[key] === undefined) delete said[key];
  return said as Given<T>;
}
