import { type ApiOptions, getText, type Route } from '../api-route.js';

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export function metricsRoutes({ runtime }: Pick<ApiOptions, 'runtime'>): Route[] {
  return [
    getText({
      path: '/metrics',
      scope: 'read',
      summary: 'Metrics for Prometheus.',
      headers: { 'Accept-Encoding': 'With `gzip` the answer is compressed.' },
      mediaType: PROMETHEUS_TEXT,
      handle: async (c) => {
        const encoding = takesGzip(c.req.header('accept-encoding')) ? 'gzip' : 'identity';
        const body = await runtime.renderMetrics(encoding);
        return c.body(body, 200, {
          'content-type': PROMETHEUS_TEXT,
          vary: 'accept-encoding',
          ...(encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
        });
      },
    }),
  ];
}

/** Whether an Accept-Encoding asks for it; `gzip;q=0` refuses it. */
function takesGzip(accepted = ''): boolean {
  return accepted
    .toLowerCase()
    .split(',')
    .some((part) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$)|$)/.test(part));
}
