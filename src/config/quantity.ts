const FACTORS = {
  '': 1,
  k: 1e3,
  Ki: 2 ** 10,
  M: 1e6,
  Mi: 2 ** 20,
  G: 1e9,
  Gi: 2 ** 30,
  T: 1e12,
  Ti: 2 ** 40,
  P: 1e15,
  Pi: 2 ** 50,
} as const;

type Suffix = keyof typeof FACTORS;

const BINARY: readonly Suffix[] = ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'];

function isSuffix(text: string): text is Suffix {
  return Object.hasOwn(FACTORS, text);
}

/** Reads a Kubernetes quantity (`1Gi`, `512Mi`, `1.5G`, bytes without suffix) as bytes, rounded up; undefined when it is none. */
export function parseQuantity(value: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]{0,2})$/.exec(String(value));
  const suffix = match?.[2] ?? '';
  if (match === null || !isSuffix(suffix)) return undefined;
  const bytes = Math.ceil(Number(match[1]) * FACTORS[suffix]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Writes bytes with the largest binary suffix that divides them. */
export function formatQuantity(bytes: number): string {
  const suffix = bytes === 0 ? undefined : BINARY.find((each) => bytes % FACTORS[each] === 0);
  return suffix === undefined ? String(bytes) : `${bytes / FACTORS[suffix]}${suffix}`;
}
