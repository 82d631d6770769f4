import { count } from "../ui/format.js";

const [WIDTH, HEIGHT] = [240, 40];

/** Rankings of the last hours as small bars, the newest last. */
export function HourBars({ rankings }: { rankings: readonly number[] }) {
  const most = Math.max(...rankings, 0);
  if (most === 0) return null;
  const step = WIDTH / rankings.length;
  const total = rankings.reduce((sum, n) => sum + n, 0);
  const text = `${count(total, "ranking")} in the last ${rankings.length} hours, at most ${most} in one`;
  return (
    <figure class="hour-bars">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text}>
        {rankings.map((n, i) => {
          const height = (n / most) * HEIGHT;
          return (
            <rect key={i} x={i * step + 1} y={HEIGHT - height} width={step - 2} height={height} />
          );
        })}
      </svg>
      <figcaption class="note">{text}</figcaption>
    </figure>
  );
}
