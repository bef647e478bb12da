// Where vmpulse keeps its things on a host that says nothing else.

/** What outlives a boot: journal, images, disks. */
export const DEFAULT_STATE_DIR = '/var/lib/vmpulse';
/** Sockets and what else belongs to this boot. */
export const DEFAULT_RUN_DIR = '/run/vmpulse';
/** The socket of the daemon, in its run directory. */
export const SOCKET_NAME = 'vmpulse.sock';
