import { guestCommand } from './guest-command.js';

/** Repairs in the guest what restarting the service did not. */
export const exec = guestCommand('exec', 'exec');
