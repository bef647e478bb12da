import { join } from 'node:path';

/** Where libvirt's daemon may listen, and what it is asked for. */
export interface LibvirtPlace {
  /** The likeliest first. */
  readonly sockets: readonly string[];
  /** Without its transport. */
  readonly uri: string;
}

const URI = /^qemu(?:\+unix)?:\/\/\/(system|session)(?:\?socket=(\/[^?&#\s]+))?$/;
/** virtqemud in installations with one daemon a driver, else libvirtd; which it is may change while vmpulse runs. */
const DAEMONS = ['virtqemud-sock', 'libvirt-sock'];

/** Why this is no URI of a libvirt that can be driven; undefined: it is one. */
export function libvirtUriProblem(text: string): string | undefined {
  if (URI.test(text)) return undefined;
  const remedy =
    'write qemu:///system, qemu:///session or, for another socket, qemu+unix:///system?socket=/path';
  return `is not a URI of this host's libvirt ("${text}"); ${remedy}`;
}

/** The sockets behind a valid URI. */
export function libvirtPlace(text: string): LibvirtPlace {
  const [, scope = 'system', socket] = URI.exec(text) ?? [];
  const uri = `qemu:///${scope}`;
  if (socket !== undefined) return { uri, sockets: [socket] };
  const user = process.geteuid?.() ?? 0;
  const folder = scope === 'system' ? '/run/libvirt' : `/run/user/${user}/libvirt`;
  return { uri, sockets: DAEMONS.map((name) => join(folder, name)) };
}
