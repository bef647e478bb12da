import type { VmmEvent } from '../model/ports.js';

/** What a VMM reported, as the journal and people read it. */
export function vmmEventText(event: VmmEvent): string {
  switch (event.type) {
    case 'exited':
      return 'the VMM ended';
    case 'oom-killed':
      return 'the kernel ended processes for want of memory';
    case 'panicked':
      return `the guest panicked (action ${event.action})`;
    case 'crash-loaded':
      return 'the guest panicked, its crash kernel runs';
    case 'watchdog':
      return `the watchdog of the guest expired (action ${event.action})`;
    case 'reset':
      return `the guest was reset ${by(event.guest)} (${event.reason})`;
    case 'shutdown':
      return `the guest was shut down ${by(event.guest)} (${event.reason})`;
    case 'powerdown':
      return 'the power button was pressed';
    case 'paused':
      return 'the guest was paused';
    case 'resumed':
      return 'the guest was resumed';
    case 'run-state':
      return `the VMM says ${event.status}`;
    case 'migration':
      return `migration: ${event.status}`;
    case 'io-error':
      return `I/O error on ${event.device}${event.noSpace ? ', no space left' : ''}`;
    case 'monitor':
      return monitorText(event);
    case 'link':
      return event.fault === null ? 'the host side of its network is as it should be' : event.text;
  }
}

/** Why the monitor cannot be used although its socket is there; undefined where that passes, or is known otherwise. */
export function monitorProblem(event: VmmEvent & { readonly type: 'monitor' }): string | undefined {
  return event.state === 'busy' || event.state === 'foreign' ? monitorText(event) : undefined;
}

function monitorText({ state, why = '' }: VmmEvent & { readonly type: 'monitor' }): string {
  switch (state) {
    case 'connected':
      return 'the monitor answers';
    case 'lost':
      return `the monitor was lost (${why})`;
    case 'busy':
      return `the monitor does not greet (${why})`;
    case 'foreign':
      return `what serves the monitor's socket is no monitor (${why})`;
  }
}

function by(guest: boolean): string {
  return guest ? 'by itself' : 'from outside';
}
