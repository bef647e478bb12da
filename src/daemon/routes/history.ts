import { z } from 'zod';
import { given } from '../../model/given.js';
import { JOURNAL_TYPES } from '../../model/journal-query.js';
import { REASON_CLASSES } from '../../model/reasons.js';
import type { RecoveryLogQuery } from '../../runtime/history.js';
import type { RuntimeApi } from '../../runtime/views.js';
import { journalPageAnswer, recoveryLogAnswer } from '../answers/journal.js';
import { listField, momentField, vmField, wholeField } from '../api-bodies.js';
import { type ApiOptions, get, type Route } from '../api-route.js';

/** Entries in one answer, unless the query says otherwise, and at most. */
const PAGE = 100;
const MAX_PAGE = 1_000;

/** Which time, and which page of it. */
const periodQuery = z.strictObject({
  vm: vmField,
  from: momentField,
  until: momentField,
  order: z.enum(['newest', 'oldest']).default('newest'),
  cursor: z.string().max(64).optional(),
  limit: wholeField(PAGE, MAX_PAGE),
});

const entriesQuery = periodQuery.extend({
  type: listField(JOURNAL_TYPES),
  class: listField(REASON_CLASSES),
});

/** What happened, by VM, type, class and time; and what was done about it. */
export function historyRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/journal/entries',
      scope: 'read',
      summary: 'A page of the journal, by VM, type, class and time.',
      query: entriesQuery,
      answer: journalPageAnswer,
      handle: ({ query }) =>
        runtime.history.entries({
          ...pageOf(query, runtime),
          ...given({ types: query.type, classes: query.class }),
        }),
    }),
    get({
      path: '/v1/recovery/log',
      scope: 'read',
      summary: 'What was done to VMs, and what came of it.',
      query: periodQuery,
      answer: recoveryLogAnswer,
      handle: ({ query }) => runtime.history.recoveries(pageOf(query, runtime)),
    }),
  ];
}

function pageOf(query: z.output<typeof periodQuery>, runtime: RuntimeApi): RecoveryLogQuery {
  const { vm, from, until, order, cursor, limit } = query;
  return {
    ...(vm === undefined ? {} : { vm: knownOrWhole(vm, runtime) }),
    ...given({ fromMs: from, untilMs: until, cursor }),
    order,
    limit: Math.max(1, limit),
  };
}

/** A VM that is not watched any more has a history all the same, under its whole id. */
function knownOrWhole(vm: string, runtime: RuntimeApi): string {
  try {
    return runtime.resolveVm(vm);
  } catch (error) {
    if (vm.includes('/')) return vm;
    throw error;
  }
}
