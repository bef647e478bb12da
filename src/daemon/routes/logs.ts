import { z } from 'zod';
import { LOG_SOURCES } from '../../lifecycle/index.js';
import { logAnswer } from '../answers/logs.js';
import { wholeField } from '../api-bodies.js';
import { type ApiOptions, aboutVm, get, type Route, vmInPath } from '../api-route.js';

const USUAL_LINES = 100;
const MAX_LINES = 10_000;

const query = z.strictObject({
  source: z.enum(LOG_SOURCES).default('console'),
  /** The last ones of the log. */
  lines: wholeField(USUAL_LINES, MAX_LINES),
  /** What comes after a place that an earlier answer named; both or none. */
  file: z.string().max(64).optional(),
  after: wholeField(0, Number.MAX_SAFE_INTEGER),
});

/** What a VM's console, its VMM and its commands have left in its folder. */
export function logRoutes({ runtime, lifecycle }: ApiOptions): Route[] {
  return aboutVm(
    get({
      path: '/v1/vms/:vm/logs',
      // What a guest writes to its console may be anything.
      scope: 'operate',
      summary: 'The last lines of a log of a VM, or what came after a place in it.',
      query,
      answer: logAnswer,
      handle: async (request) => {
        const vm = vmInPath(request, runtime);
        const { source, lines, file, after } = request.query;
        const from = file === undefined ? { lines } : { file, after };
        return { vm, source, ...(await lifecycle.log(vm, source, from)) };
      },
    }),
  );
}
