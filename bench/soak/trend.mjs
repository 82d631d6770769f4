/**
 * Least squares over points (hours, value): slope per hour and its standard error.
 * @param {readonly { hours: number, value: number }[]} points
 */
export function trend(points) {
  const n = points.length;
  if (n < 3) return { slope: NaN, error: NaN };
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / n;
  const [meanX, meanY] = [mean((p) => p.hours), mean((p) => p.value)];
  const sxx = points.reduce((sum, p) => sum + (p.hours - meanX) ** 2, 0);
  const sxy = points.reduce((sum, p) => sum + (p.hours - meanX) * (p.value - meanY), 0);
  const slope = sxy / sxx;
  const residual = points.reduce(
    (sum, p) => sum + (p.value - meanY - slope * (p.hours - meanX)) ** 2,
    0,
  );
  return { slope, error: Math.sqrt(residual / (n - 2) / sxx) };
}

/**
 * The lowest value of each minute: what is left when garbage has been collected.
 * @param {readonly { hours: number, value: number }[]} points
 */
export function floorByMinute(points) {
  const lowest = new Map();
  for (const point of points) {
    const minute = Math.floor(point.hours * 60);
    if (!(lowest.get(minute)?.value <= point.value)) lowest.set(minute, point);
  }
  return [...lowest.values()];
}
