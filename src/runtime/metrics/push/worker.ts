import { type PushTask, sendMetrics } from './send-metrics.js';

/** Pool task: the metrics of a large host are megabytes to read, encode and compress. */
export default function push(task: PushTask & { readonly deadlineMs: number }): Promise<void> {
  return sendMetrics(task, { deadlineMs: task.deadlineMs });
}
