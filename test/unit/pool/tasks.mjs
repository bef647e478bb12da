/** Tasks for the pool's tests. */
export default function run(task) {
  if (task.type === 'echo') return task.value;
  if (task.type === 'throw') throw new TypeError('the task fails');
  if (task.type === 'wait') return new Promise((resolve) => setTimeout(resolve, task.ms));
  for (;;);
}
