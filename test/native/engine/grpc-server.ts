import {
  type handleUnaryCall,
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';

/** States of grpc.health.v1 by their numbers. */
export const STATE = { unknown: 0, serving: 1, notServing: 2, serviceUnknown: 3 } as const;

/** A HealthCheckRequest: field 1 is the name. */
function serviceOf(request: Buffer): string {
  return request.subarray(2).toString();
}

const HEALTH = {
  check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
} satisfies ServiceDefinition;

/** A name that is asked for: a state, or a status of gRPC. */
export type Health = number | { readonly code: status; readonly details: string };

export interface GrpcServerOptions {
  readonly credentials: ServerCredentials;
  /** `127.0.0.1:0` or `unix:/path`. */
  readonly at: string;
  readonly services: Readonly<Record<string, Health>>;
  /** False: a server without a health service. */
  readonly isHealthServed?: boolean;
}

/** A server of grpc-js, closed when the test ends; gives its port. `asked`: authorities that were asked for. */
export async function grpcServer({ credentials, at, services, isHealthServed = true }: GrpcServerOptions) {
  const server = new Server();
  const asked: string[] = [];
  const answer: handleUnaryCall<Buffer, Buffer> = (call, done) => {
    asked.push(call.getHost());
    const health = services[serviceOf(call.request)];
    if (health === undefined) done({ code: status.NOT_FOUND, details: 'no such service' });
    else if (typeof health === 'number') done(null, Buffer.from([8, health]));
    else done(health);
  };
  if (isHealthServed) server.addService(HEALTH, { check: answer });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(at, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  onTestFinished(() => server.forceShutdown());
  return { port, asked };
}
