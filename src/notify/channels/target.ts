import type { NotifyWay } from '../../model/notification.js';

/** Where a way leads, without anything secret. */
export function targetOf(way: NotifyWay): string {
  switch (way.kind) {
    case 'email':
      return way.to.join(', ');
    case 'slack':
      return 'file' in way.url ? `URL in ${way.url.file}` : `URL in ${way.url.env}`;
    case 'webhook':
      return new URL(way.url).origin;
    case 'exec':
      return way.argv.join(' ');
  }
}
