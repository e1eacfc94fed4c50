// Charts as SVG, written by hand: rows of horizontal bars, and lines over a logarithmic axis.
//
// Invariant: the same input gives the same bytes. Every chart has a white background of its own, so that
// it can be read wherever it is shown; its words are text, and its title is told to those who don't see it.

const FONT = "font-family:system-ui,Helvetica,Arial,sans-serif";
const INK = "#222222";
const FAINT = "#d8d8d8";
const GREY = "#666666";

const WIDTH = 860;
const TOP = 56;
const PAD = 16;

export interface Bar {
  readonly value: number;
  readonly color: string;
  /** Shorter ones that lie upon it, the longest first. */
  readonly inner?: readonly { readonly value: number; readonly color: string }[];
  /** The least and the most of several measurements. */
  readonly whisker?: readonly [number, number];
  /** What the value is called at the end of the bar. */
  readonly text: string;
}

/** What belongs together: bars one below the other. */
export interface Row {
  readonly label: string;
  readonly bars: readonly Bar[];
}

export interface BarChart {
  readonly title: string;
  readonly axis: string;
  /** What the colors mean; none: they need no words. */
  readonly legend: readonly (readonly [name: string, color: string])[];
  readonly rows: readonly Row[];
  readonly tick: (value: number) => string;
  /** A value that is marked by a line over all rows. */
  readonly mark?: number;
}

export interface Line {
  readonly name: string;
  readonly color: string;
  readonly isDashed: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly xAxis: string;
  readonly yAxis: string;
  readonly lines: readonly Line[];
  readonly xTick: (value: number) => string;
  readonly yTick: (value: number) => string;
  /** Whether the y axis is logarithmic, too. */
  readonly isLogarithmic?: boolean;
}

/** The chart of rows of bars, their values from zero to the right. */
export function bars(chart: BarChart): string {
  const [left, right, barHeight, gap] = [310, 120, 16, 12];
  const most = Math.max(
    chart.mark ?? 0,
    ...chart.rows.flatMap(({ bars }) => bars.map(({ value, whisker }) => whisker?.[1] ?? value)),
  );
  const step = niceStep(most / 6);
  const end = Math.max(step, Math.ceil(most / step) * step);
  const x = (value: number) => left + (WIDTH - left - right) * value / end;
  const top = TOP + (chart.legend.length > 0 ? 24 : 0);
  const grid: string[] = [];
  const shapes: string[] = [];
  const words: string[] = [];
  let y = top + gap / 2;
  for (const { label, bars } of chart.rows) {
    words.push(text(left - 10, y + bars.length * barHeight / 2 + 3, label, "end"));
    for (const bar of bars) {
      shapes.push(...barOf(bar, x, y, barHeight - 2));
      const end = x(Math.max(bar.value, bar.whisker?.[1] ?? 0));
      words.push(text(end + 6, y + barHeight / 2 + 3, bar.text, "start"));
      y += barHeight;
    }
    y += gap;
  }
  for (let value = 0; value <= end * 1.000001; value += step) {
    grid.push(line(x(value), top, x(value), y, FAINT));
    grid.push(text(x(value), y + 16, chart.tick(value), "middle", GREY));
  }
  if (chart.mark !== undefined) shapes.push(line(x(chart.mark), top, x(chart.mark), y, INK, 1.5));
  words.push(text(x(end / 2), y + 38, chart.axis, "middle"), ...legend(chart.legend));
  return svg(chart.title, y + 54, [...grid, ...shapes, ...words]);
}

function barOf(bar: Bar, x: (value: number) => number, y: number, height: number): string[] {
  const { whisker, inner = [] } = bar;
  const parts = [bar, ...inner].map(({ value, color }) => {
    const size = `width="${at(x(value) - x(0))}" height="${at(height)}"`;
    return `<rect x="${at(x(0))}" y="${at(y)}" ${size} fill="${color}"/>`;
  });
  if (whisker !== undefined) {
    const middle = y + height / 2;
    const [from, to] = whisker.map(x);
    parts.push(line(from, middle, to, middle, INK, 1.5));
    for (const edge of [from, to]) parts.push(line(edge, middle - 4, edge, middle + 4, INK, 1.5));
  }
  return parts;
}

/** The chart of lines over a logarithmic axis, whose ticks are the points' own. */
export function lines(chart: LineChart): string {
  const [left, right, height] = [90, 230, 340];
  const bottom = TOP + height;
  const points = chart.lines.flatMap(({ points }) => points);
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
  const x = scale(Math.log(xs[0]), Math.log(xs.at(-1)!), left, WIDTH - right);
  const most = Math.max(...points.map(([, y]) => y));
  const least = Math.min(...points.map(([, y]) => y));
  const ticks = chart.isLogarithmic ? decades(least, most) : steps(most);
  const of = chart.isLogarithmic ? Math.log : (value: number) => value;
  const y = scale(of(ticks[0]), of(ticks.at(-1)!), bottom, TOP + 8);
  const body: string[] = [];
  for (const tick of ticks) {
    body.push(line(left, y(of(tick)), WIDTH - right, y(of(tick)), FAINT));
    body.push(text(left - 8, y(of(tick)) + 4, chart.yTick(tick), "end", GREY));
  }
  for (const tick of xs) {
    body.push(line(x(Math.log(tick)), bottom, x(Math.log(tick)), bottom + 5, GREY));
    body.push(text(x(Math.log(tick)), bottom + 20, chart.xTick(tick), "middle", GREY));
  }
  const ends = chart.lines.map(({ points }) => y(of(points.at(-1)![1])));
  const labels = apart(ends, 17);
  chart.lines.forEach(({ points, color, isDashed, name }, index) => {
    const places = points.map((p) => [x(Math.log(p[0])), y(of(p[1]))] as const);
    const path = places.map(([px, py]) => `${at(px)},${at(py)}`).join(" ");
    const dashes = isDashed ? ' stroke-dasharray="6 4"' : "";
    body.push(
      `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"${dashes}/>`,
    );
    places.forEach(([px, py], point) => {
      const told = `${name}, ${chart.xTick(points[point][0])}: ${chart.yTick(points[point][1])}`;
      body.push(
        `<circle cx="${at(px)}" cy="${at(py)}" r="3.5" fill="${color}"><title>${
          escaped(told)
        }</title></circle>`,
      );
    });
    const last = places.at(-1)![0];
    body.push(text(Math.max(last, WIDTH - right) + 10, labels[index] + 4, name, "start", color));
  });
  body.push(text((left + WIDTH - right) / 2, bottom + 44, chart.xAxis, "middle"));
  body.push(
    `<text transform="translate(20 ${at(TOP + height / 2)}) rotate(-90)" ` +
      `text-anchor="middle" fill="${INK}">${escaped(chart.yAxis)}</text>`,
  );
  return svg(chart.title, bottom + 60, body);
}

/** Moves places apart so that neighbours keep a distance, in the order that they have. */
function apart(places: readonly number[], distance: number): number[] {
  const order = places.map((_, index) => index).sort((a, b) => places[a] - places[b]);
  const moved = [...places];
  for (let at = 1; at < order.length; at++) {
    moved[order[at]] = Math.max(moved[order[at]], moved[order[at - 1]] + distance);
  }
  return moved;
}

function scale(from: number, to: number, start: number, end: number): (value: number) => number {
  return (value) => start + (end - start) * (to === from ? 0.5 : (value - from) / (to - from));
}

/** 1, 2 or 5 times a power of ten, not less than `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)));
  return [1, 2, 5, 10].find((factor) => factor * power >= least * 0.999999)! * power;
}

function steps(most: number): number[] {
  const step = niceStep(most / 6);
  return Array.from({ length: Math.ceil(most / step - 1e-6) + 1 }, (_, index) => index * step);
}

function decades(least: number, most: number): number[] {
  const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  return Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
}

function legend(names: BarChart["legend"]): string[] {
  let x = PAD;
  return names.map(([name, color]) => {
    const square = `<rect x="${at(x)}" y="${TOP - 10}" width="12" height="12" fill="${color}"/>`;
    const entry = square + text(x + 18, TOP, name, "start");
    x += 42 + 7.5 * name.length;
    return entry;
  });
}

function line(x1: number, y1: number, x2: number, y2: number, color: string, width = 1): string {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" ` +
    `stroke="${color}" stroke-width="${width}"/>`;
}

function text(x: number, y: number, words: string, anchor: string, color = INK): string {
  // A white seam, where words lie over lines.
  const seam = 'stroke="#ffffff" stroke-width="3" paint-order="stroke"';
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" fill="${color}" ${seam}>` +
    `${escaped(words)}</text>`;
}

function svg(title: string, height: number, body: readonly string[]): string {
  const size = `width="${WIDTH}" height="${at(height)}" viewBox="0 0 ${WIDTH} ${at(height)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-labelledby="title" ` +
    `style="${FONT};font-size:13px">`,
    `<title id="title">${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${PAD}" y="30" fill="${INK}" style="font-size:17px;font-weight:600">${
      escaped(title)
    }</text>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

/** A coordinate, to a tenth of a pixel. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
