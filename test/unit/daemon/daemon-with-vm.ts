import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'undici';
import { onTestFinished } from 'vitest';
import { OpenApiCheck } from './openapi-check.js';
import { place, start } from './real-daemon.js';

/** Halted, so that nothing runs and nothing is started. */
const VM = `apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: web-1
spec:
  runStrategy: Halted
  template:
    spec:
      domain:
        cpu:
          cores: 1
        memory:
          guest: 128Mi
      readinessProbe:
        tcpSocket:
          port: 80
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata:
  name: web-1
spec:
  address: 192.0.2.42
  hypervisor:
    qemu:
      disks:
      - path: /nowhere/web-1.raw
        format: raw
`;

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/** A daemon with one VM, and who asks it. */
export async function daemonWithVm() {
  const here = place();
  writeFileSync(join(here.dir, 'vms.d', 'web-1.yaml'), VM);
  const { child } = await start(here);
  const client = new Client('http://localhost', { socketPath: here.socket });
  onTestFinished(() => client.destroy());
  const ask = async (method: 'GET' | 'POST', path: string, body?: string): Promise<Answer> => {
    const answer = await client.request({ method, path, body: body ?? null });
    const type = String(answer.headers['content-type']);
    if (type === 'text/event-stream') {
      answer.body.on('error', () => {}).destroy();
      return { status: answer.statusCode, type, body: '' };
    }
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      type,
      body: type.startsWith('application/json') ? JSON.parse(text) : text,
    };
  };
  const check = new OpenApiCheck((await ask('GET', '/v1/openapi.json')).body);
  return { here, child, ask, check };
}

/** A path of an OpenAPI document with names in it. */
export function fillIn(path: string, name: () => string): string {
  return path.replaceAll(/\{\w+\}/g, name);
}
