import { guestCommand } from './guest-command.js';

/** Restarts the service that the probes ask. */
export const restartService = guestCommand('restart-service', 'restartService');
