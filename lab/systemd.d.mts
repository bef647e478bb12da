/** Why systemd cannot be run as PID 1 of a container here; `undefined`: it can. */
export function systemdObstacle(): string | undefined;
