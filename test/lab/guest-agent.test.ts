import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { guestAgentBuilt, labAvailable, needsGuestAgent } from './availability.js';
import { poll } from './poll.js';
import { QgaClient } from './qga-client.js';
import { QmpClient } from './qmp-client.js';
import { bootLabVm, killLabVms, type LabVm } from './vm.js';

const TEST_MS = 90_000;

/** Well until somebody makes the file /run/ill. */
const CONFIG = `
[health]
period-seconds = 1
failures = 2
[[health.checks]]
name = "not-ill"
command = ["/bin/test", "!", "-e", "/run/ill"]
[watchdog]
device = "/dev/watchdog"
timeout-seconds = 10
[exec]
enabled = true
allow = [["/bin/echo", "**"], ["/bin/sleep", "*"]]
timeout-seconds = 2
`;

const HEALTH = z.object({ status: z.string(), watchdog: z.object({ state: z.string() }) });
const RESOURCES = z.object({
  bootId: z.string(),
  uptimeSeconds: z.number(),
  cpu: z.object({ usedPercent: z.number(), stealPercent: z.number() }),
  memory: z.object({ totalBytes: z.number(), availableBytes: z.number() }),
  disks: z.array(z.object({ mount: z.string(), totalBytes: z.number() })),
});

describe('the guest agent in a lab VM', () => {
  let dir: string;
  let vm: LabVm;
  let qmp: QmpClient;
  let qga: QgaClient;
  let agent: QgaClient;

  beforeAll(async () => {
    if (!labAvailable().ok || !guestAgentBuilt()) return;
    dir = mkdtempSync(join(tmpdir(), 'vmp-agent-'));
    vm = await bootLabVm({ name: 'agent', dir, agentConfig: CONFIG });
    qmp = await QmpClient.connect(vm.qmpPath);
    await vm.waitReady();
    qga = await QgaClient.connect(vm.qgaPath);
    agent = await QgaClient.connect(vm.agentPath);
  }, TEST_MS);

  afterAll(async () => {
    agent?.close();
    qga?.close();
    await killLabVms();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  beforeEach((context) => {
    needsGuestAgent(context);
  });

  const health = async (): Promise<string> => {
    const { status, watchdog } = HEALTH.parse(await agent.execute('vmpulse-health'));
    return `${status} ${watchdog.state}`;
  };
  const becomes = (state: string): Promise<true> =>
    poll(`the agent says ${state}`, 40_000, async () => ((await health()) === state ? true : undefined));

  it('tells what it is and how the guest is', { timeout: TEST_MS }, async () => {
    expect(await agent.execute('guest-info')).toMatchObject({ agent: 'vmpulse-agent' });
    const os = z.object({ 'boot-id': z.string() }).parse(await agent.execute('guest-get-osinfo'));
    expect(os['boot-id']).toBe(await vm.bootId());
    const resources = await poll('processor time', 20_000, async () => {
      const told = RESOURCES.safeParse(await agent.execute('vmpulse-resources'));
      return told.data;
    });
    expect(resources.bootId).toBe(os['boot-id']);
    expect(resources.memory.totalBytes).toBeGreaterThan(64 * 1024 * 1024);
    expect(resources.cpu.usedPercent).toBeLessThanOrEqual(100);
    await becomes('ok fed');
  });

  it('runs what its list allows, within its time', { timeout: TEST_MS }, async () => {
    expect(await agent.run('/bin/echo', 'from', 'the guest')).toEqual({
      exitCode: 0,
      stdout: 'from the guest\n',
      stderr: '',
    });
    await expect(agent.execute('guest-exec', { path: '/bin/sh' })).rejects.toThrow('not on the guest');
    const slept = await agent.run('/bin/sleep', '1000');
    expect(slept.exitCode).toBe(-1);
  });

  it('disarms the watchdog when it is stopped in order', { timeout: TEST_MS }, async () => {
    await becomes('ok fed');
    const state = async () =>
      (await qga.run('/bin/cat', '/sys/class/watchdog/watchdog0/state')).stdout.trim();
    expect(await state()).toBe('active');
    expect((await qga.run('/sbin/svc', 'end', 'vmpulse-agent')).exitCode).toBe(0);
    await poll('the watchdog is inactive', 20_000, async () =>
      (await state()) === 'inactive' ? true : undefined,
    );
    expect((await qga.run('/sbin/svc', 'start', 'vmpulse-agent')).exitCode).toBe(0);
    agent.close();
    agent = await QgaClient.connect(vm.agentPath, { deadlineMs: 20_000 });
    await becomes('ok fed');
  });

  it('starves the watchdog when its own checks fail, which QEMU tells', { timeout: TEST_MS }, async () => {
    await becomes('ok fed');
    qmp.events.length = 0;
    expect((await qga.run('/bin/touch', '/run/ill')).exitCode).toBe(0);
    await becomes('failed starved');
    const event = await qmp.waitEvent('WATCHDOG', 40_000);
    expect(event.data).toMatchObject({ action: 'pause' });
    expect(await qmp.status()).toBe('watchdog');
  });
});
