import { plainText } from '../model/plain-text.js';
import type { HostView } from '../runtime/views.js';
import type { Notice } from './notices.js';

/** What a daemon begins with: a warning where something keeps it from doing its work. */
export function startNotice({ holds, vms, degradations, version }: HostView, atMs: number): Notice {
  const quarantined = vms.filter(({ health }) => health === 'quarantined').length;
  const held = [
    ...holds.map(({ vm, reason }) => `recovery of ${vm ?? 'all VMs'} is held: ${reason}`),
    ...(quarantined === 0 ? [] : [`${quarantined} VMs are quarantined`]),
    ...degradations.map(({ what, why }) => `${what}: ${why}`),
  ];
  const text = `vmpulse ${version} watches ${vms.length} VMs${held.length === 0 ? '' : `; ${held.join('; ')}`}`;
  return {
    kind: 'daemon-started',
    severity: held.length === 0 ? 'info' : 'warning',
    atMs,
    vm: null,
    topic: 'daemon',
    role: 'report',
    text: plainText(text, 1000),
  };
}
