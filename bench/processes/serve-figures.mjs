/** The other side of startNodeProber: says that it probes, answers with `figures()`, ends with the channel. */
export function serveFigures(figures, end) {
  process.on('SIGINT', () => {});
  process.on('message', () => process.send(figures()));
  process.once('disconnect', async () => {
    await end();
    process.exit();
  });
  process.send('ready');
}
