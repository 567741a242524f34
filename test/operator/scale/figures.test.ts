/** Figures out of the text for Prometheus: rates, sums and quantiles. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { growth, quantile, readSeries, sums, total } from "./figures.ts";

const TEXT = `# HELP calls Calls.
# TYPE calls counter
calls{verb="get",resource="pods"} 3
calls{verb="get",resource="nodes"} 1
calls{verb="list",resource="pods"} 2
plain 7
took_bucket{le="0.1",of="a"} 50
took_bucket{le="0.2",of="a"} 90
took_bucket{le="+Inf",of="a"} 100
took_bucket{le="0.1",of="b"} 0
took_bucket{le="0.2",of="b"} 0
took_bucket{le="+Inf",of="b"} 0
`;

test("series are read, summed by labels, and compared with a look before", () => {
  const series = readSeries(TEXT);
  assert.equal(series.get("plain"), 7);
  assert.deepEqual(sums(series, "calls", ["verb"]), [
    ["get", 4],
    ["list", 2],
  ]);
  assert.equal(total(series, "calls"), 6);
  const later = readSeries(TEXT.replace('"nodes"} 1', '"nodes"} 5'));
  assert.deepEqual([...growth(series, later)], [['calls{verb="get",resource="nodes"}', 4]]);
});

test("a quantile is interpolated within its bucket, and never beyond the last bound", () => {
  const series = readSeries(TEXT);
  assert.equal(quantile(series, "took", 0.5), 0.1);
  assert.ok(Math.abs((quantile(series, "took", 0.7) ?? 0) - 0.15) < 1e-9);
  assert.equal(quantile(series, "took", 0.99), 0.2);
  assert.equal(quantile(series, "absent", 0.5), undefined);
});
