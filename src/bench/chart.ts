/** Charts as SVG text: plain, readable in light and dark, without scripts or fonts of their own. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Drawn in the colour of what the chart is about. */
  readonly own?: boolean;
}

export interface Line {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 760;
const LABEL_WIDTH = 270;
const ROW = 26;
const TOP = 48;
const OWN = '#0b7285';
const OTHER = '#868e96';
const LINE_COLOURS = ['#0b7285', '#e8590c', '#5f3dc4', '#2b8a3e'];
const PLOT_HEIGHT = 240;

/** Horizontal bars, one a row, from zero. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const largest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const scale = (WIDTH - LABEL_WIDTH - 110) / largest;
  const rows = bars.map(({ label, value, own }, index) => {
    const y = TOP + index * ROW;
    const width = Math.max(1, value * scale).toFixed(1);
    return (
      text(LABEL_WIDTH - 8, y + 15, label, 'end') +
      `<rect x="${LABEL_WIDTH}" y="${y + 2}" width="${width}" height="${ROW - 8}" rx="2" fill="${own ? OWN : OTHER}"/>` +
      text(LABEL_WIDTH + Number(width) + 6, y + 15, `${short(value)} ${unit}`)
    );
  });
  return svg(title, TOP + bars.length * ROW + 12, rows.join('\n'));
}

/** Lines over a logarithmic x axis; y from zero. */
export function lineChart(title: string, xName: string, yName: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
  const [low, high] = [Math.log(xs[0] ?? 1), Math.log(xs.at(-1) ?? 10)];
  const top = Math.max(...points.map(([, y]) => y), Number.MIN_VALUE) * 1.15;
  const [left, right] = [70, WIDTH - 150];
  const bottom = TOP + PLOT_HEIGHT;
  const placeX = (x: number) => left + ((Math.log(x) - low) / Math.max(high - low, 1e-9)) * (right - left);
  const placeY = (y: number) => bottom - (y / top) * PLOT_HEIGHT;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = placeY(top * share).toFixed(1);
    return (
      `<line x1="${left}" x2="${right}" y1="${y}" y2="${y}" stroke="${OTHER}" stroke-opacity="0.35"/>` +
      text(left - 8, Number(y) + 4, short(top * share), 'end')
    );
  });
  const ticks = xs.map((x) => text(placeX(x), bottom + 18, x.toLocaleString('en'), 'middle'));
  const drawn = lines.map((line, index) => {
    const colour = LINE_COLOURS[index % LINE_COLOURS.length];
    const path = line.points.map(([x, y]) => `${placeX(x).toFixed(1)},${placeY(y).toFixed(1)}`);
    const dots = path.map((place) => {
      const [x, y] = place.split(',');
      return `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`;
    });
    const last = line.points.at(-1) ?? [1, 0];
    return (
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}` +
      text(placeX(last[0]) + 10, placeY(last[1]) + 4, line.label)
    );
  });
  const names = text(left, TOP - 8, yName) + text((left + right) / 2, bottom + 38, xName, 'middle');
  return svg(title, bottom + 50, [...grid, ...ticks, ...drawn, names].join('\n'));
}

function svg(title: string, height: number, body: string): string {
  const style =
    'text{font:13px system-ui,sans-serif;fill:#495057}@media(prefers-color-scheme:dark){text{fill:#ced4da}}';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
<style>${style}</style>
<text x="12" y="24" style="font-size:16px;font-weight:600">${escaped(title)}</text>
${body}
</svg>
`;
}

function text(x: number, y: number, value: string, anchor = 'start'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(value)}</text>`;
}

function escaped(value: string): string {
  return value.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Three significant digits, no exponent. */
function short(value: number): string {
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)));
}
