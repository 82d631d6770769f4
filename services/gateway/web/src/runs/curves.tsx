import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { createChart, createChartTools, type Chart, type ChartSettings } from "virtual:charts";
import "virtual:charts.css";
import { chartsOf } from "virtual:curves";
import type { RunRecord } from "./run-records.js";

/** The curves of runs, those of one stage over one another. */
export function Curves({
  runs,
}: {
  runs: readonly { name: string; stage: string; records: readonly RunRecord[] }[];
}) {
  const [settings, setSettings] = useState<ChartSettings>({ isLog: false, smoothing: 0 });
  const charts = useMemo(() => chartsByStage(runs), [runs]);
  if (charts.length === 0) return <p class="soft">No figures yet.</p>;
  const minor = charts.filter(({ isMinor }) => isMinor);
  return (
    <>
      <Tools onChange={setSettings} />
      <p class="note">
        Drag over a chart to look closer, or focus it and use + − ← →; a double click or 0 shows
        all.
      </p>
      <Grid charts={charts.filter(({ isMinor }) => !isMinor)} settings={settings} />
      {minor.length > 0 && <More charts={minor} settings={settings} />}
    </>
  );
}

function chartsByStage(
  runs: readonly { name: string; stage: string; records: readonly RunRecord[] }[],
): Chart[] {
  const stages = [...new Set(runs.map(({ stage }) => stage))];
  return stages.flatMap((stage) => {
    const same = runs.filter((run) => run.stage === stage);
    return chartsOf(
      stage,
      same.map(({ name, records }) => ({ name, metrics: { records: [...records], breaks: [] } })),
    );
  });
}

function Tools({ onChange }: { onChange: (settings: ChartSettings) => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => createChartTools(place.current!, onChange), []);
  return <div ref={place} />;
}

/** Figures of lesser interest, drawn when they are opened. */
function More({ charts, settings }: { charts: readonly Chart[]; settings: ChartSettings }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{charts.length} more figures</summary>
      {isOpen && <Grid charts={charts} settings={settings} />}
    </details>
  );
}

function Grid({ charts, settings }: { charts: readonly Chart[]; settings: ChartSettings }) {
  const stages = new Set(charts.map(({ stage }) => stage));
  const shown = charts.map((chart) =>
    stages.size > 1 ? { ...chart, title: `${chart.stage}: ${chart.title}` } : chart,
  );
  return (
    <div class="charts">
      {shown.map((chart) => (
        <Curve key={`${chart.stage} ${chart.title}`} chart={chart} settings={settings} />
      ))}
    </div>
  );
}

function Curve({ chart, settings }: { chart: Chart; settings: ChartSettings }) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<ReturnType<typeof createChart> | undefined>(undefined);
  useEffect(() => {
    const made = createChart(uPlot, place.current!, chart, settings);
    drawn.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => drawn.current?.update(chart), [chart]);
  useEffect(() => drawn.current?.set(settings), [settings]);
  return <div ref={place} />;
}
