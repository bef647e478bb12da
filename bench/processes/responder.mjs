// responder.mjs [tls]: tells its port to the parent and serves until that is gone.
import { openResponder } from '../../dist/engine/responder.js';

// Ctrl-C reaches the whole group; the bench decides when this ends.
process.on('SIGINT', () => {});
const responder = openResponder({ tls: process.argv[2] === 'tls' });
process.once('disconnect', () => {
  responder.close();
  process.exit();
});
process.send(responder.port);
