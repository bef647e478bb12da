import { z } from 'zod';
import { overridePathField } from '../../config/index.js';
import { changeAnswer, configurationAnswer } from '../answers/configuration.js';
import { periodField, reasonField, vmField } from '../api-bodies.js';
import { type ApiOptions, aboutVm, get, post, type Route, vmInPath, vmOrAll } from '../api-route.js';

/** Changes of many VMs come in one body. */
const MAX_BYTES = 1024 * 1024;
/** All documents are read and compiled twice, then loaded. */
const CHANGE_MS = 120_000;
const MAX_LEVELS = 16;

const valueField = z
  .unknown()
  .refine((value) => value !== undefined, 'is missing')
  .refine((value) => isFlat(value, MAX_LEVELS), `is nested deeper than ${MAX_LEVELS} levels`);

const changeBody = z.strictObject({
  changes: z
    .array(
      z.union([
        z.strictObject({ vm: vmField, path: overridePathField, value: valueField }),
        z.strictObject({
          vm: vmField,
          path: z.union([overridePathField, z.literal('')]),
          unset: z.literal(true),
        }),
      ]),
    )
    .min(1)
    .max(10_000),
  forMs: periodField.optional(),
  reason: reasonField.optional(),
  dryRun: z.boolean().default(false),
});

/** What holds and who said it, and changing it while the daemon runs. */
export function configurationRoutes({ lifecycle, runtime }: ApiOptions): Route[] {
  const { configuration } = lifecycle;
  return [
    get({
      path: '/v1/config',
      scope: 'read',
      summary: 'What holds of the daemon, and who said it.',
      answer: configurationAnswer,
      handle: () => configuration.view(null),
    }),
    ...aboutVm(
      get({
        path: '/v1/config/:vm',
        scope: 'read',
        summary: 'What holds of a VM, and who said it.',
        answer: configurationAnswer,
        handle: (request) => configuration.view(vmInPath(request, runtime)),
      }),
    ),
    post({
      path: '/v1/config',
      scope: 'admin',
      summary: 'Changes settings while the daemon runs, all or none.',
      body: changeBody,
      maxBodyBytes: MAX_BYTES,
      answer: changeAnswer,
      deadlineMs: CHANGE_MS,
      handle: ({ body: { changes, forMs = null, reason = '', dryRun }, author }) =>
        configuration.change({
          changes: changes.map(({ vm, path, ...what }) => ({
            vm: vmOrAll(vm, runtime),
            path,
            ...('unset' in what ? {} : { value: what.value }),
          })),
          forMs,
          reason,
          dryRun,
          author,
        }),
    }),
  ];
}

function isFlat(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((below) => isFlat(below, levels - 1));
}
