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
 * The lowest point of each of `count` equal spans of time: what is left when garbage has been collected.
 * A span must be longer than the time between two collections of a nearly idle heap, which is minutes:
 * with spans of one minute, that saw-tooth alone is worth hundreds of MB an hour.
 * @param {readonly { hours: number, value: number }[]} points
 * @param {number} count
 */
export function floors(points, count) {
  if (points.length === 0) return [];
  const [begin, end] = [points[0].hours, points.at(-1).hours];
  const lowest = new Map();
  for (const point of points) {
    const span = Math.min(count - 1, Math.floor(((point.hours - begin) / (end - begin)) * count));
    if (!(lowest.get(span)?.value <= point.value)) lowest.set(span, point);
  }
  return [...lowest.values()];
}
