import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemdObstacle } from '../../lab/systemd.mjs';
import { guestAgentBuilt } from '../lab/availability.js';
import { needsSystemd, SystemdMachine } from './machine.js';
import { MINUTE } from './service.js';

const INSTALL = fileURLToPath(new URL('../../native/agent/install/install.sh', import.meta.url));
const UNIT = 'vmpulse-agent.service';
const CONFIG = '/etc/vmpulse-agent.toml';
/** The container shares vsock with this host, where nothing of the tests may listen. */
const OWN_CONFIG = '[listen]\nvsock-port = 0\n\n[[health.checks]]\nname = "data"\nwritable = "/var/lib"\n';

describe('install.sh of the guest agent', { timeout: 5 * MINUTE, retry: 0 }, () => {
  let machine: SystemdMachine;

  beforeAll(async () => {
    if (systemdObstacle() === undefined) machine = await SystemdMachine.boot();
  }, 5 * MINUTE);
  afterAll(() => machine?.dispose());
  beforeEach((context) => {
    needsSystemd(context);
    if (!guestAgentBuilt()) context.skip('the guest agent is not built; run: npm run build:agent');
  });

  it('installs below a folder, with its configuration, and starts nothing', () => {
    machine.run('mkdir', '-p', '/srv/image/etc/systemd/system');
    machine.run(INSTALL, '/srv/image');
    expect(machine.read(`/srv/image${CONFIG}`)).toContain('virtio-port = "org.vmpulse.agent.0"');
    machine.run('test', '-x', '/srv/image/usr/local/sbin/vmpulse-agent');
    machine.run('test', '-f', `/srv/image/etc/systemd/system/${UNIT}`);
    expect(machine.property(UNIT, 'LoadState')).toBe('not-found');
  });

  it('runs the agent, and keeps the configuration that is there', () => {
    machine.write(CONFIG, OWN_CONFIG);
    machine.run(INSTALL);
    expect(machine.read(CONFIG)).toBe(OWN_CONFIG);
    expect(machine.run('systemd-analyze', 'verify', '--man=no', UNIT)).toBe('');
    expect(machine.property(UNIT, 'ActiveState')).toBe('active');
    expect(machine.run('systemctl', 'is-enabled', UNIT).trim()).toBe('enabled');
  });

  it('replaces the agent that runs when it is run again', () => {
    const before = machine.property(UNIT, 'MainPID');
    machine.run(INSTALL);
    expect(machine.property(UNIT, 'ActiveState')).toBe('active');
    expect(machine.property(UNIT, 'MainPID')).not.toBe(before);
    expect(machine.property(UNIT, 'NRestarts')).toBe('0');
  });

  it('installs nothing that would not start', () => {
    machine.write(CONFIG, '[listen]\nvsock-prot = 0\n');
    const { status, output } = machine.try(INSTALL);
    expect(status).not.toBe(0);
    expect(output).toContain('vsock-prot');
  });
});
