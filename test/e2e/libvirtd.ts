import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { poll } from '../lab/poll.js';

const PROGRAM = '/usr/sbin/libvirtd';
const LOGD = '/usr/sbin/virtlogd';
const UP_MS = 60_000;
const DOWN_MS = 20_000;
/** Folders that a libvirtd of root has at fixed places; each gets an empty one in their stead. */
const FIXED = ['/etc/libvirt', '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt', '/run/libvirt'];

/** Why no private libvirtd can run here; undefined: it can. */
export function whyNoLibvirt(): string | undefined {
  if (process.getuid?.() !== 0) return 'a private libvirtd needs root for its own mounts';
  if (!existsSync(PROGRAM)) return 'libvirtd is not installed (node scripts/setup.mjs --ci)';
  const modules = spawnSync('find', ['/usr/lib', '-name', 'libvirt_driver_qemu.so'], { encoding: 'utf8' });
  if (modules.stdout.trim() === '')
    return "libvirt's QEMU driver is not installed (libvirt-daemon-driver-qemu)";
  const mounts = spawnSync('unshare', ['--mount', 'true']);
  return mounts.status === 0 ? undefined : 'no mount namespace can be made here';
}

export interface LibvirtdOptions {
  /** Program and arguments under which it runs, for example in a network namespace; must become it by exec. */
  readonly under?: readonly string[];
  /** Whom its QEMUs run as: root, or as distributions have it a user of their own, to whom it gives files. */
  readonly qemus?: 'root' | 'own-user';
}

const OWN_USER = 'libvirt-qemu';

/** A libvirtd of a test's own: with its own mounts, it neither sees nor touches what the host's has. */
export class PrivateLibvirtd {
  readonly socket: string;
  readonly #folder: string;
  readonly #under: readonly string[];
  readonly #qemus: NonNullable<LibvirtdOptions['qemus']>;
  #child: ChildProcess | undefined;

  constructor(folder: string, { under = [], qemus = 'root' }: LibvirtdOptions = {}) {
    this.#folder = folder;
    this.#under = under;
    this.#qemus = qemus;
    this.socket = join(folder, 'libvirt-sock');
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${this.socket}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves once it takes connections. */
  async start(): Promise<void> {
    const script = join(this.#folder, 'libvirtd.sh');
    this.#write(script);
    const log = openSync(join(this.#folder, 'libvirtd.log'), 'a');
    const [program = '', ...args] = [
      ...this.#under,
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-e', script],
    ];
    this.#child = spawn(program, args, { stdio: ['ignore', log, log] });
    const child = this.#child;
    await poll('libvirtd listens', UP_MS, async () => {
      if (child.exitCode !== null) throw new Error(`libvirtd ended: ${this.log()}`);
      return (await listens(this.socket)) || undefined;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Domains run on, as always when it ends. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), DOWN_MS);
    await ended;
    clearTimeout(timer);
    if (this.#qemus === 'own-user') process.kill(Number(readFileSync(this.#logdPid, 'utf8')), 'SIGTERM');
  }

  /** As an operator would, beside vmpulse. */
  virsh(...args: string[]): string {
    return execFileSync('virsh', ['--connect', this.uri, '--quiet', ...args], {
      encoding: 'utf8',
      timeout: UP_MS,
    });
  }

  /** Ends it and every domain that still runs. */
  async end(): Promise<void> {
    if (this.#child === undefined) return;
    this.signal('SIGCONT');
    try {
      // One that is ending by itself cannot be destroyed, and is gone a moment later.
      await poll('no domain runs', UP_MS, async () => {
        const names = this.virsh('list', '--name').split('\n').filter(Boolean);
        for (const name of names)
          spawnSync('virsh', ['--connect', this.uri, 'destroy', name], { timeout: UP_MS });
        return names.length === 0 || undefined;
      });
    } finally {
      await this.stop();
    }
  }

  log(): string {
    return readFileSync(join(this.#folder, 'libvirtd.log'), 'utf8').slice(-2_000);
  }

  get #logdPid(): string {
    return join(this.#folder, 'virtlogd.pid');
  }

  #write(script: string): void {
    const at = (name: string) => join(this.#folder, name);
    mkdirSync(at('own'), { recursive: true });
    // Debian's build wants its user to be there, whatever the configuration says.
    for (const [file, line] of [
      ['passwd', `${OWN_USER}:x:64055:64055::/nonexistent:/usr/sbin/nologin`],
      ['group', `${OWN_USER}:x:64055:`],
    ] as const)
      writeFileSync(at(file), `${readFileSync(`/etc/${file}`, 'utf8').trimEnd()}\n${line}\n`);
    writeFileSync(
      at('libvirtd.conf'),
      `unix_sock_dir = "${this.#folder}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n`,
    );
    const who =
      this.#qemus === 'root'
        ? ['user = "root"', 'group = "root"', 'remember_owner = 0', 'stdio_handler = "file"']
        : [`user = "${OWN_USER}"`, `group = "${OWN_USER}"`];
    const common = ['security_driver = "none"', 'cgroup_controllers = []', 'namespaces = []'];
    writeFileSync(at('qemu.conf'), `${[...who, ...common].join('\n')}\n`);
    const ofOwnUser = [
      // It opens what a QEMU of another user writes.
      `${LOGD} --pid-file ${this.#logdPid} --daemon`,
      // On most hosts that user may use KVM; where libvirt alone may, it asks its QEMUs anew what they can, again and again.
      `[ ! -e /dev/kvm ] || { cp -a /dev/kvm ${at('kvm')}; chmod 0666 ${at('kvm')}; mount --bind ${at('kvm')} /dev/kvm; }`,
    ];
    const mounts = FIXED.map((path, index) => {
      const own = join(this.#folder, 'own', String(index));
      mkdirSync(own, { recursive: true });
      return `mkdir -p ${path}\nmount --bind ${own} ${path}`;
    });
    writeFileSync(
      script,
      [
        `mount --bind ${at('passwd')} /etc/passwd`,
        `mount --bind ${at('group')} /etc/group`,
        ...mounts,
        `cp ${at('qemu.conf')} /etc/libvirt/qemu.conf`,
        ...(this.#qemus === 'own-user' ? ofOwnUser : []),
        `exec ${PROGRAM} --config ${at('libvirtd.conf')} --pid-file ${at('libvirtd.pid')}`,
        '',
      ].join('\n'),
    );
  }
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
