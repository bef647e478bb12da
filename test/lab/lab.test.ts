import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { labAvailable, needsLab } from './availability.js';
import { poll } from './poll.js';
import { QgaClient } from './qga-client.js';
import { QmpClient } from './qmp-client.js';
import { bootLabVm, killLabVms, type LabVm } from './vm.js';

const WATCHDOG_SECONDS = 4;
const TEST_MS = 60_000;

describe('a lab VM', () => {
  let dir: string;
  let vm: LabVm;
  let qmp: QmpClient;

  beforeAll(async () => {
    if (!labAvailable().ok) return;
    dir = mkdtempSync(join(tmpdir(), 'vmp-lab-'));
    vm = await bootLabVm({ name: 'lab', dir, watchdogSeconds: WATCHDOG_SECONDS });
    qmp = await QmpClient.connect(vm.qmpPath);
    await vm.waitReady();
  }, TEST_MS);

  afterAll(async () => {
    await killLabVms();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  beforeEach(async (context) => {
    needsLab(context);
    qmp.events.length = 0;
  });

  /** How the web server fails: `late` is no answer within half a second, `refused` a connection that is reset. */
  const answersNot = (how: 'late' | 'refused'): Promise<boolean> =>
    poll(`the web server is ${how}`, 10_000, () =>
      vm.health(500).then(
        () => undefined,
        (error: unknown) =>
          (error instanceof DOMException && error.name === 'TimeoutError') === (how === 'late') || undefined,
      ),
    );
  const answers = (): Promise<number> => poll('the web server answers', 10_000, () => vm.health());

  it('answers requests and names its boot', async () => {
    expect(await vm.health()).toBe(200);
    expect(await vm.bootId()).toMatch(/^[0-9a-f-]{36}$/);
    expect(await vm.bootId()).toBe(await vm.bootId());
    expect(await qmp.status()).toBe('running');
  });

  it('runs the guest agent with guest-exec', async () => {
    const agent = await QgaClient.connect(vm.qgaPath);
    expect(await agent.execute('guest-ping')).toEqual({});
    expect(await agent.run('/bin/echo', 'from the guest')).toEqual({
      exitCode: 0,
      stdout: 'from the guest\n',
      stderr: '',
    });
    expect((await agent.run('/bin/false')).exitCode).toBe(1);
    agent.close();
  });

  it('loses its web server for good until the agent restarts it', { timeout: TEST_MS }, async () => {
    const bootId = await vm.bootId();
    await vm.fault('kill-httpd');
    await answersNot('refused');
    const agent = await QgaClient.connect(vm.qgaPath);
    expect((await agent.run('/bin/pidof', 'httpd')).exitCode).toBe(1);
    expect((await agent.run('/sbin/svc', 'restart', 'httpd')).exitCode).toBe(0);
    agent.close();
    expect(await answers()).toBe(200);
    expect(await vm.bootId()).toBe(bootId);
  });

  it('hangs and slows its web server', { timeout: TEST_MS }, async () => {
    const agent = await QgaClient.connect(vm.qgaPath);
    await vm.fault('hang-httpd');
    await answersNot('late');
    expect((await agent.run('/sbin/svc', 'cont', 'httpd')).exitCode).toBe(0);
    expect(await answers()).toBe(200);

    await vm.fault('slow-httpd', { ms: 1500 });
    await answersNot('late');
    expect(await vm.health(10_000)).toBe(200);
    await agent.run('/sbin/svc', 'restart', 'httpd');
    expect(await answers()).toBe(200);
    agent.close();
  });

  it('loses its agent and keeps its web server', { timeout: TEST_MS }, async () => {
    await vm.fault('hang-agent');
    await poll('the agent falls silent', 20_000, async () => {
      const agent = await QgaClient.connect(vm.qgaPath, { deadlineMs: 500 }).catch(() => undefined);
      agent?.close();
      return agent === undefined ? true : undefined;
    });
    expect(await vm.health()).toBe(200);
  });

  it('is stopped by its watchdog when feeding stops, and needs cont after the reset', {
    timeout: TEST_MS,
  }, async () => {
    const bootId = await vm.bootId();
    await vm.fault('watchdog-stop');
    const event = await qmp.waitEvent('WATCHDOG', 30_000);
    expect(event.data).toMatchObject({ action: 'pause' });
    expect(await qmp.status()).toBe('watchdog');

    await qmp.execute('system_reset');
    expect(await qmp.status()).toBe('prelaunch');
    await qmp.execute('cont');
    await vm.waitReady();
    expect(await vm.bootId()).not.toBe(bootId);
  });

  it('reports a panic, and needs cont after the reset', { timeout: TEST_MS }, async () => {
    const bootId = await vm.bootId();
    await vm.fault('panic');
    const event = await qmp.waitEvent('GUEST_PANICKED', 30_000);
    expect(event.data).toMatchObject({ action: 'pause' });
    expect(await qmp.status()).toBe('guest-panicked');
    expect(vm.consoleText()).toContain('sysrq triggered crash');

    await qmp.execute('system_reset');
    expect(await qmp.status()).toBe('prelaunch');
    await qmp.execute('cont');
    await vm.waitReady();
    expect(await vm.bootId()).not.toBe(bootId);
  });

  it('reboots when its agent is told to', { timeout: TEST_MS }, async () => {
    const bootId = await vm.bootId();
    const agent = await QgaClient.connect(vm.qgaPath);
    agent.post('guest-shutdown', { mode: 'reboot' });
    const event = await qmp.waitEvent('RESET', 30_000);
    expect(event.data).toMatchObject({ guest: true });
    agent.close();
    await poll('another boot', 30_000, async () => ((await vm.bootId(400)) === bootId ? undefined : true));
    await vm.waitReady();
  });

  it('powers off at the power button', { timeout: TEST_MS }, async () => {
    await qmp.execute('system_powerdown');
    expect(await qmp.waitEvent('SHUTDOWN', 10_000)).toMatchObject({ data: { reason: 'guest-shutdown' } });
    expect(await vm.exited).toEqual({ code: 0, signal: null });
  });
});
