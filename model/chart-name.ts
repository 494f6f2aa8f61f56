/** Name and version of a chart from Helm's `name-version`. */
export function splitChart(chart: string): { name: string; version: string } {
  const match = /^(.+?)-([0-9]+\.[0-9]+\.[0-9]+.*)$/.exec(chart);
  return { name: match?.[1] ?? chart, version: match?.[2] ?? '' };
}
