#!/usr/bin/env node
import { errnoOf } from '../model/errors.js';
import type { Cli } from './cli.js';
import { readEnvironment } from './environment.js';
import { runCli } from './program.js';

/** What a pipe that is closed at its other end (`| head`) throws. */
function ignoreBrokenPipe(error: unknown): void {
  if (errnoOf(error) !== 'EPIPE') throw error;
  process.exit();
}

function main(): Promise<void> {
  process.stdout.on('error', ignoreBrokenPipe);
  process.stderr.on('error', ignoreBrokenPipe);
  const cli: Cli = {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: readEnvironment(process.env, process.pid),
    variable: (name) => process.env[name],
    setExitCode: (code) => {
      process.exitCode = code;
    },
  };
  return runCli(cli, process.argv.slice(2));
}

void main();
