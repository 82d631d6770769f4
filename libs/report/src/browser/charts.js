/* global document, getComputedStyle, matchMedia, ResizeObserver */
/**
 * Draws curves in a browser with uPlot: drag or keys to look closer, a logarithmic scale, smoothing, runs
 * over one another. One file without imports: a report holds its text inside itself, the gateway's pages
 * are built with it.
 */

/** @typedef {{ run: string, name: string, x: readonly number[], y: readonly (number | null)[], every?: number }} Series */
/** @typedef {{ stage: string, title: string, xLabel: string, isMinor: boolean, series: readonly Series[] }} Chart */
/** @typedef {{ isLog: boolean, smoothing: number }} Settings `smoothing` from 0, none, to 1 */
/** @typedef {{ color: string, dash?: number[] }} Pen */

const HEIGHT = 230;
const FEW_POINTS = 40;
const ZOOM_KEYS = { "+": 0.5, "=": 0.5, "-": 2 };

/**
 * A chart in `place`. `update` takes the same chart with more points and keeps what is zoomed in on.
 * @param {any} uPlot the library
 * @param {HTMLElement} place
 * @param {Chart} chart
 * @param {Settings} settings
 */
export function createChart(uPlot, place, chart, settings) {
  let [shown, how] = [chart, settings];
  /** @type {Set<string>} */
  const hidden = new Set();
  /** @type {any} */
  let plot;
  /** @type {{ min: number, max: number } | undefined} */
  let zoom;
  const parts = createParts(place, chart.title);

  const build = () => {
    plot?.destroy();
    const lines = linesOf(shown, how);
    const options = optionsFor(shown, how, { lines, width: parts.plot.clientWidth || 300 });
    options.hooks = { setCursor: [() => fillKeys()], setSelect: [noteZoom] };
    plot = new uPlot(options, alignedData(lines), parts.plot);
    Object.assign(parts.figure, { plot });
    if (zoom) plot.setScale("x", zoom);
    fillKeys();
    describe(parts, shown, how);
  };
  const noteZoom = (/** @type {any} */ u) => {
    if (u.select.width > 0)
      zoom = {
        min: u.posToVal(u.select.left, "x"),
        max: u.posToVal(u.select.left + u.select.width, "x"),
      };
  };
  const look = (/** @type {{ min: number, max: number } | undefined} */ range) => {
    zoom = range;
    plot.setScale("x", range ?? extentOf(shown));
  };
  const toggle = (/** @type {string} */ id) => {
    if (!hidden.delete(id)) hidden.add(id);
    for (const [i, line] of linesOf(shown, how).entries()) {
      plot.setSeries(i + 1, { show: !hidden.has(line.id) });
    }
    fillKeys();
  };
  const fillKeys = () => writeKeys(parts.keys, shown, { plot, hidden, toggle });

  parts.plot.addEventListener("dblclick", () => (zoom = undefined));
  parts.plot.addEventListener("keydown", (event) => {
    const range = zoomedBy(event.key, zoom ?? extentOf(shown), extentOf(shown));
    if (range === null) return;
    event.preventDefault();
    look(range);
  });
  const sizes = new ResizeObserver(() => {
    const width = parts.plot.clientWidth;
    if (width > 0 && plot.width !== width) plot.setSize({ width, height: HEIGHT });
  });
  sizes.observe(parts.plot);
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  darkness.addEventListener("change", build);
  build();
  return {
    /** @param {Chart} next */
    update(next) {
      const isSame = next.series.map(idOf).join() === shown.series.map(idOf).join();
      shown = next;
      if (!isSame) return build();
      plot.setData(alignedData(linesOf(shown, how)), zoom === undefined);
      if (zoom) plot.setScale("x", zoom);
      fillKeys();
      describe(parts, shown, how);
    },
    /** @param {Settings} next */
    set(next) {
      how = next;
      build();
    },
    destroy() {
      sizes.disconnect();
      darkness.removeEventListener("change", build);
      plot.destroy();
      place.replaceChildren();
    },
  };
}

/**
 * Controls for all charts of a page.
 * @param {HTMLElement} place
 * @param {(settings: Settings) => void} onChange
 */
export function createChartTools(place, onChange) {
  const smoothing = element("input", {
    ...{ type: "range", min: "0", max: "100", value: "0" },
  });
  const log = element("input", { type: "checkbox" });
  const tell = () =>
    onChange({
      isLog: /** @type {HTMLInputElement} */ (log).checked,
      smoothing: Number(/** @type {HTMLInputElement} */ (smoothing).value) / 100,
    });
  smoothing.addEventListener("input", tell);
  log.addEventListener("change", tell);
  const labels = [
    element("label", {}, ["Smoothing", smoothing]),
    element("label", {}, [log, "Logarithmic scale"]),
  ];
  place.replaceChildren(element("div", { class: "chart-tools" }, labels));
}

/**
 * Draws what `#chart-data` holds into the places of a report.
 * @param {any} uPlot
 */
export function drawPage(uPlot) {
  const data = document.getElementById("chart-data")?.textContent ?? "[]";
  /** @type {Chart[]} */
  const charts = JSON.parse(data);
  /** @type {Settings} */
  let settings = { isLog: false, smoothing: 0 };
  /** @type {ReturnType<typeof createChart>[]} */
  const drawn = [];
  const draw = (/** @type {HTMLElement} */ place) => {
    const chart = charts[Number(place.dataset["chart"])];
    if (chart && !place.firstChild) drawn.push(createChart(uPlot, place, chart, settings));
  };
  const draws = (/** @type {Element | Document} */ root, /** @type {string} */ which) => {
    for (const place of root.querySelectorAll(which)) draw(/** @type {HTMLElement} */ (place));
  };
  draws(document, "[data-chart]:not(details *)");
  for (const details of document.querySelectorAll("details.minor")) {
    details.addEventListener("toggle", () => draws(details, "[data-chart]")); // they have a width now
  }
  const tools = document.getElementById("chart-tools");
  if (tools) {
    createChartTools(tools, (next) => {
      settings = next;
      for (const chart of drawn) chart.set(settings);
    });
  }
}

/** @param {Series} series */
const idOf = ({ run, name }) => `${run}\n${name}`;

/**
 * What is drawn: each series, pale behind its running mean where it is smoothed.
 * @param {Chart} chart
 * @param {Settings} settings
 */
function linesOf({ series }, { isLog, smoothing }) {
  const positive = (/** @type {number | null} */ value) =>
    isLog && value !== null && value <= 0 ? null : value;
  return series.flatMap((each, i) => {
    const y = each.y.map(positive);
    const line = { ...each, y, id: idOf(each), index: i, isPale: smoothing > 0 };
    if (smoothing === 0) return [line];
    const radius = Math.max(1, Math.round((smoothing * y.length) / 8));
    return [line, { ...line, y: runningMean(y, radius), isPale: false }];
  });
}

/**
 * A gap stays one, and nothing is averaged over it.
 * @param {readonly (number | null)[]} y
 * @param {number} radius
 */
export function runningMean(y, radius) {
  return y.map((value, i) => {
    if (value === null) return null;
    let [sum, count] = [value, 1];
    for (const step of [-1, 1]) {
      for (let j = i + step; Math.abs(j - i) <= radius; j += step) {
        const near = y[j];
        if (near === null || near === undefined) break;
        sum += near;
        count++;
      }
    }
    return sum / count;
  });
}

/**
 * One list of x for all lines, as uPlot wants it. A line that was not measured at an x has `undefined`
 * there, which is drawn through; `null` is a gap.
 * @param {readonly { x: readonly number[], y: readonly (number | null)[] }[]} lines
 */
export function alignedData(lines) {
  const x = [...new Set(lines.flatMap((line) => [...line.x]))].sort((a, b) => a - b);
  const columns = lines.map((line) => {
    const at = new Map(line.x.map((value, i) => [value, line.y[i]]));
    return x.map((value) => at.get(value));
  });
  return [x, ...columns];
}

/**
 * @param {Chart} chart
 * @param {Settings} settings
 * @param {{ lines: ReturnType<typeof linesOf>, width: number }} drawn
 */
function optionsFor(chart, { isLog }, { lines, width }) {
  const colour = (/** @type {string} */ name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const canLog = isLog && lines.some(({ y }) => y.some((value) => value !== null));
  const axis = {
    stroke: colour("--soft"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("--rule"), width: 1 },
    ticks: { stroke: colour("--rule"), width: 1 },
  };
  return {
    ...{ width, height: HEIGHT, legend: { show: false } },
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    scales: { x: { time: false }, y: canLog ? { distr: 3 } : {} },
    axes: [
      { ...axis, label: chart.xLabel, labelSize: 20, labelFont: axis.font, size: 34 },
      { ...axis, size: 56, values: (/** @type {any} */ _, /** @type {any[]} */ v) => v.map(short) },
    ],
    series: [{}, ...lines.map((line) => seriesOptions(line, chart))],
    /** @type {object} */
    hooks: {},
  };
}

/**
 * @param {ReturnType<typeof linesOf>[number]} line
 * @param {Chart} chart
 */
function seriesOptions(line, chart) {
  const { color, dash } = penOf(chart, line.index);
  const stroke = getComputedStyle(document.documentElement).getPropertyValue(color).trim();
  const alone = (/** @type {any} */ u, /** @type {number} */ i) => isolated(u.data[i]);
  return {
    ...{ label: `${line.run} ${line.name}`, stroke, width: line.isPale ? 1 : 2 },
    ...(dash ? { dash } : {}),
    ...(line.isPale ? { alpha: 0.4 } : {}),
    points:
      line.x.length <= FEW_POINTS && !line.isPale
        ? { show: true, size: 5 }
        : { show: true, size: 5, filter: alone },
  };
}

/**
 * Points between two gaps, which no line shows.
 * @param {readonly (number | null | undefined)[]} y
 */
export function isolated(y) {
  const measured = y.flatMap((value, i) => (value === undefined ? [] : [i]));
  return measured.filter((at, i) => {
    const [before, after] = [measured[i - 1], measured[i + 1]];
    const isGap = (/** @type {number | undefined} */ j) => j === undefined || y[j] === null;
    return y[at] !== null && isGap(before) && isGap(after);
  });
}

/**
 * Each run has a colour of its own and each of its lines another stroke; a single run a colour a line.
 * @param {Chart} chart
 * @param {number} index
 * @returns {Pen}
 */
function penOf({ series }, index) {
  const runs = [...new Set(series.map(({ run }) => run))];
  const { run, name } = /** @type {Series} */ (series[index]);
  if (runs.length === 1) return { color: `--c${index % 5}` };
  const names = [...new Set(series.map((each) => each.name))];
  const dash = [undefined, [6, 4], [2, 3]][names.indexOf(name) % 3];
  return { color: `--c${runs.indexOf(run) % 5}`, ...(dash ? { dash } : {}) };
}

/**
 * @param {HTMLElement} place
 * @param {string} title
 */
function createParts(place, title) {
  const plot = element("div", { class: "plot", tabindex: "0", role: "img" });
  const keys = element("div", { class: "keys" });
  const cut = element("p", { class: "cut" });
  const caption = element("figcaption", {}, [title]);
  const figure = element("figure", { class: "curve" }, [caption, plot, keys, cut]);
  place.replaceChildren(figure);
  return { figure, plot, keys, cut };
}

/**
 * The legend: a button a line, with its value under the pointer, else its last.
 * @param {HTMLElement} place
 * @param {Chart} chart
 * @param {{ plot: any, hidden: Set<string>, toggle: (id: string) => void }} scope
 */
function writeKeys(place, chart, { plot, hidden, toggle }) {
  const runs = new Set(chart.series.map(({ run }) => run));
  const at = plot?.cursor?.idx ?? null;
  const x = at === null ? undefined : plot.data[0][at];
  const texts = chart.series.map((series) => {
    const value = x === undefined ? series.y.findLast((y) => y !== null) : valueAt(series, x);
    const name = runs.size > 1 ? `${series.run}, ${series.name}` : series.name;
    return `${name}: ${value === null || value === undefined ? "–" : short(value)}`;
  });
  if (place.children.length !== chart.series.length) {
    const buttons = chart.series.map((series, i) => {
      const colour = penOf(chart, i).color.replace("--c", "s");
      const swatch = element("span", { class: `swatch ${colour}` });
      const button = element("button", { type: "button" }, [swatch, element("span")]);
      button.addEventListener("click", () => toggle(idOf(series)));
      return button;
    });
    place.replaceChildren(...buttons);
  }
  for (const [i, button] of [...place.children].entries()) {
    const series = /** @type {Series} */ (chart.series[i]);
    button.setAttribute("aria-pressed", String(!hidden.has(idOf(series))));
    const text = /** @type {Element} */ (button.lastChild);
    if (text.textContent !== texts[i]) text.textContent = texts[i] ?? "";
  }
}

/**
 * The value at an x, or the nearest before it.
 * @param {Series} series
 * @param {number} x
 */
function valueAt(series, x) {
  const index = series.x.findLastIndex((each) => each <= x);
  return index < 0 ? undefined : series.y[index];
}

/**
 * Says in words what is drawn, and what is not.
 * @param {ReturnType<typeof createParts>} parts
 * @param {Chart} chart
 * @param {Settings} settings
 */
function describe({ plot, cut }, { title, series }, { isLog }) {
  const known = (/** @type {Series} */ { y }) => y.filter((value) => value !== null);
  const texts = series.map((each) => {
    const values = known(each);
    return `${each.run} ${each.name} from ${short(values[0])} to ${short(values.at(-1))}`;
  });
  plot.setAttribute("aria-label", `${title}: ${texts.join("; ")}`);
  const every = Math.max(1, ...series.map((each) => each.every ?? 1));
  const lost = series.flatMap(known).filter((value) => (value ?? 0) <= 0).length;
  const notes = [
    ...(every > 1 ? [`Each point is the mean of up to ${every} records.`] : []),
    ...(isLog && lost > 0 ? [`${lost} values of 0 or less have no place on this scale.`] : []),
  ];
  cut.textContent = notes.join(" ");
  cut.hidden = notes.length === 0;
}

/**
 * What a key makes of the part that is shown; `undefined` = all, `null` = the key means nothing.
 * @param {string} key
 * @param {{ min: number, max: number }} now
 * @param {{ min: number, max: number }} all
 */
export function zoomedBy(key, now, all) {
  const span = now.max - now.min;
  const within = (/** @type {number} */ min, /** @type {number} */ width) => {
    const start = Math.min(Math.max(min, all.min), Math.max(all.min, all.max - width));
    return width >= all.max - all.min ? undefined : { min: start, max: start + width };
  };
  if (key === "0") return undefined;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    return within(now.min + (key === "ArrowLeft" ? -span : span) / 4, span);
  }
  const factor = ZOOM_KEYS[/** @type {keyof typeof ZOOM_KEYS} */ (key)];
  if (factor === undefined) return null;
  return within((now.min + now.max) / 2 - (span * factor) / 2, span * factor);
}

/** @param {Chart} chart */
function extentOf({ series }) {
  const all = series.flatMap(({ x }) => [x[0] ?? 0, x.at(-1) ?? 0]);
  return { min: Math.min(...all), max: Math.max(...all) };
}

/**
 * As many digits as people read, with a real minus sign.
 * @param {number | null | undefined} value
 */
function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const text =
    size >= 1e6 || (size > 0 && size < 1e-3)
      ? value.toExponential(2).replace("e+", "e")
      : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} [children]
 */
function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
