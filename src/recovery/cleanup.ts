import { guestCommand } from './guest-command.js';

/** Frees in the guest what is used up. */
export const cleanup = guestCommand('cleanup', 'cleanup');
