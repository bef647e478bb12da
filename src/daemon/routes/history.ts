import type { Context } from 'hono';
import { VmpulseError } from '../../model/errors.js';
import { JOURNAL_TYPES, type JournalQuery } from '../../model/journal-query.js';
import { REASON_CLASS } from '../../model/reasons.js';
import type { RuntimeApi } from '../../runtime/views.js';
import { type ApiEnv, type ApiOptions, get, type Route, wholeQuery } from '../api-route.js';

/** Entries in one answer, unless the query says otherwise, and at most. */
const PAGE = 100;
const MAX_PAGE = 1_000;

const CLASSES = [...new Set(Object.values(REASON_CLASS))];

/** What happened, by VM, type, class and time; and what was done about it. */
export function historyRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get('/v1/journal/entries', async (c) => {
      const types = listQuery(c, 'type', JOURNAL_TYPES);
      const classes = listQuery(c, 'class', CLASSES);
      const query = {
        ...periodQuery(c, runtime),
        ...(types === undefined ? {} : { types }),
        ...(classes === undefined ? {} : { classes }),
      };
      return c.json(await runtime.history.entries(query));
    }),
    get('/v1/recovery/log', async (c) => c.json(await runtime.history.recoveries(periodQuery(c, runtime)))),
  ];
}

/** What both take: the VM, the time, and which page. */
function periodQuery(c: Context<ApiEnv>, runtime: RuntimeApi): JournalQuery {
  const vm = c.req.query('vm');
  const fromMs = timeQuery(c, 'from');
  const untilMs = timeQuery(c, 'until');
  const cursor = c.req.query('cursor');
  const [order = 'newest'] = listQuery(c, 'order', ['newest', 'oldest'] as const) ?? [];
  return {
    // A VM that is not watched any more has a history all the same.
    ...(vm === undefined ? {} : { vm: knownOrFull(vm, runtime) }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(cursor === undefined ? {} : { cursor }),
    order,
    limit: Math.max(1, wholeQuery(c, 'limit', PAGE, MAX_PAGE)),
  };
}

function knownOrFull(vm: string, runtime: RuntimeApi): string {
  try {
    return runtime.resolveVm(vm);
  } catch (error) {
    if (vm.includes('/') && vm.length <= 256) return vm;
    throw error;
  }
}

/** Words of a list, separated by commas. Throws ERR_VMPULSE_ARGUMENT for one that is not among `known`. */
function listQuery<T extends string>(
  c: Context<ApiEnv>,
  name: string,
  known: readonly T[],
): readonly T[] | undefined {
  const text = c.req.query(name);
  if (text === undefined) return undefined;
  return text.split(',').map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `?${name}= takes ${known.join(', ')}, separated by commas`,
    );
  });
}

/** A moment: wall-clock ms, or ISO 8601 with its zone. Throws ERR_VMPULSE_ARGUMENT. */
function timeQuery(c: Context<ApiEnv>, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined) return undefined;
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : isMoment ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `?${name}= must be milliseconds since 1970, or a moment such as 2026-01-31T08:00:00Z`,
  );
}
