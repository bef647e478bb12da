import { z } from 'zod';
import { given } from '../model/given.js';
import { absolutePathField, textField } from '../probes/fields.js';
import { durationField } from './fields.js';

/** Where the daemon sends its metrics. */
export interface MetricsPushConfig {
  readonly endpoint: string;
  readonly everyMs: number;
  /** Has the bearer token; unset: none is sent. */
  readonly tokenFile?: string;
}

const EVERY_MS = 30_000;

const endpointField = textField({ unit: 'URL', example: 'http://prometheus:9090' }, (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return `is not an http or https URL ("${text}"); write one such as http://prometheus:9090`;
  return url.username === '' && url.password === ''
    ? undefined
    : 'has a user or password in it, which logs would show; use tokenFile';
});

export const metricsPushSchema = z.strictObject({
  endpoint: endpointField,
  every: durationField('30s', 1_000).optional(),
  tokenFile: absolutePathField.optional(),
});

/** With defaults filled in. */
export function metricsPushOf({
  endpoint,
  every = EVERY_MS,
  tokenFile,
}: z.output<typeof metricsPushSchema>): MetricsPushConfig {
  return { endpoint, everyMs: every, ...given({ tokenFile }) };
}
