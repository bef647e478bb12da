import { type ApiOptions, getText, type Route } from '../api-route.js';

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export function metricsRoutes({ runtime }: Pick<ApiOptions, 'runtime'>): Route[] {
  return [
    getText({
      path: '/metrics',
      scope: 'read',
      summary: 'Metrics for Prometheus.',
      mediaType: PROMETHEUS_TEXT,
      handle: async (c) => c.body(await runtime.metricsText(), 200, { 'content-type': PROMETHEUS_TEXT }),
    }),
  ];
}
