/** What stands in place of a secret. */
export const REDACTED = '(redacted)';

/** Names of what must not be shown. What only names the file or variable that has it may be. */
const SECRET =
  /pass(word|phrase)|secret|token|api-?key|authorization|cookie|credential|userData|metaData|networkConfig/i;
const NAMES_A_PLACE = /(File|Env|Path|Dir|Socket)$/;
const USER_IN_URL = /(?<=:\/\/)[^/?#\s]*@/g;
/** Services whose addresses are themselves the right to use them. */
const SECRET_URL = /(https?:\/\/hooks\.slack\.com\/)\S+/g;
/** Where a channel posts to: whoever knows the rest of it may post there, too. */
const AFTER_ORIGIN = /^(https?:\/\/[^/?#]+(?:\/|(?=[?#]))).+$/s;
const MAX_LEVELS = 32;

/** The value with everything in it that looks like a secret replaced; the same shape else. `name`: where it stands. */
export function redact(value: unknown, name = '', levels = MAX_LEVELS): unknown {
  if (isSecret(name) && value !== null && value !== undefined && typeof value !== 'boolean') return REDACTED;
  if (typeof value === 'string') {
    const text = value.replaceAll(USER_IN_URL, `${REDACTED}@`).replaceAll(SECRET_URL, `$1${REDACTED}`);
    return name === 'url' ? text.replace(AFTER_ORIGIN, `$1${REDACTED}`) : text;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return REDACTED;
  if (Array.isArray(value)) return redactList(value, levels);
  const entries = Object.entries(value);
  // A header as documents write it: its name is a value.
  const named = 'name' in value && typeof value.name === 'string' ? value.name : '';
  return Object.fromEntries(
    entries.map(([key, below]) => [
      key,
      redact(below, key === 'value' && isSecret(named) ? named : key, levels - 1),
    ]),
  );
}

/** The value of a setting, by its path. */
export function redactAt(path: string, value: unknown): unknown {
  return redact(value, path.split('.').at(-1));
}

/** Headers and environments are pairs of a name and a value. */
function redactList(list: readonly unknown[], levels: number): unknown[] {
  const [first, second] = list;
  const isPair = list.length === 2 && typeof first === 'string' && typeof second === 'string';
  if (isPair) return [first, redact(second, first, levels - 1)];
  return list.map((item) => redact(item, '', levels - 1));
}

function isSecret(name: string): boolean {
  return SECRET.test(name) && !NAMES_A_PLACE.test(name);
}
