import { request } from 'node:http';
import { text } from 'node:stream/consumers';

const ASK_MS = 10_000;

/** What the daemon's API answers to `GET path`. A command of the CLI for each look would cost more than what is watched. */
export function ask({ socket }, path) {
  return new Promise((resolve, reject) => {
    const options = { socketPath: socket, path, agent: false, signal: AbortSignal.timeout(ASK_MS) };
    const sent = request(options, (response) => {
      text(response)
        .then((body) => {
          if (response.statusCode === 200) resolve(JSON.parse(body));
          else reject(new Error(`GET ${path}: ${response.statusCode} ${body}`));
        })
        .catch(reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}
