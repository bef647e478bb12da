// Pictures of the policy, made of the tables in its code: SVG as text, the same for the same tables.

const FONT = 'font-family="sans-serif" font-size="13"';
const BOX = 'rx="6" fill="#f6f8fa" stroke="#57606a"';
const ROW = 34;

/** @param {string} text */
function escaped(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** @param {number} x @param {number} y @param {number} width @param {string} text */
function box(x, y, width, text) {
  const label = `<text x="${x + width / 2}" y="${y + 17}" text-anchor="middle">${escaped(text)}</text>`;
  return `<rect x="${x}" y="${y}" width="${width}" height="26" ${BOX}/>${label}`;
}

/** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
function arrow(x1, y1, x2, y2) {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#57606a" marker-end="url(#head)"/>`;
}

/** @param {string} title @param {number} width @param {number} height @param {readonly string[]} parts */
function svg(title, width, height, parts) {
  const head =
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">' +
    '<path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>';
  const start = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT}>`;
  const body = [
    `<title>${escaped(title)}</title>`,
    head,
    '<rect width="100%" height="100%" fill="white"/>',
    ...parts,
  ];
  return `${[start, ...body, '</svg>'].join('\n')}\n`;
}

/** Left what is known of a VM, in the order in which it counts; right the state of health that it gives. */
export function healthDiagram(table) {
  const rows = Object.entries(table);
  const states = [...new Set(rows.flatMap(([, { states: list }]) => list))];
  const leftY = (i) => 16 + i * ROW;
  const rightY = (i) => 16 + i * ROW * (rows.length / states.length);
  const parts = rows.map(([, { when }], i) => box(16, leftY(i), 290, `${i + 1}. ${when}`));
  parts.push(...states.map((state, i) => box(520, rightY(i), 130, state)));
  rows.forEach(([, { states: list }], i) => {
    for (const state of list) parts.push(arrow(306, leftY(i) + 13, 519, rightY(states.indexOf(state)) + 13));
  });
  return svg(
    'What is known of a VM, and the state of health that it gives',
    666,
    16 + rows.length * ROW,
    parts,
  );
}

/** One row a diagnosis: its steps, mildest first; a step that is repeated has a loop. */
export function ladderDiagram(ladders) {
  const parts = [];
  const longest = Math.max(...ladders.map(({ steps }) => steps.length));
  ladders.forEach(({ kind, cause, steps, repeatLast }, row) => {
    const y = 16 + row * ROW;
    parts.push(box(16, y, 240, cause === null ? kind : `${kind} (${cause})`));
    const shown = steps.length === 0 ? ['people are told'] : steps;
    shown.forEach((step, i) => {
      const x = 290 + i * 155;
      parts.push(arrow(i === 0 ? 256 : x - 30, y + 13, x - 1, y + 13), box(x, y, 125, step));
    });
    if (repeatLast) parts.push(`<text x="${290 + shown.length * 155 - 26}" y="${y + 17}">↻</text>`);
  });
  return svg('The ladder of each diagnosis', 290 + longest * 155, 16 + ladders.length * ROW, parts);
}
