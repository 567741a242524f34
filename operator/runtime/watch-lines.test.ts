import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KubeError } from "./kube.ts";
import { linesOf } from "./watch-lines.ts";

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function all(text: string, size: number, maxBytes = 1000): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(pieces(Buffer.from(text), size), maxBytes)) lines.push(line);
  return lines;
}

describe("linesOf", () => {
  it("finds the same lines wherever they are cut, within characters too", async () => {
    const lines = ["{}", "", "a \u00e4\u20ac\ud83d\ude80 z", "  ", "x".repeat(50)];
    for (let size = 1; size <= 90; size++)
      assert.deepEqual(
        await all(lines.map((line) => `${line}\n`).join(""), size),
        [lines[0], lines[2], lines[4]],
        `by ${size}`,
      );
  });

  it("refuses a line beyond its bound, whole or not, and takes one at it", async () => {
    for (const size of [1, 7, 1000]) {
      assert.deepEqual(await all(`${"x".repeat(100)}\n`, size, 100), ["x".repeat(100)]);
      for (const text of ["x".repeat(101), `${"x".repeat(101)}\n`])
        await assert.rejects(all(text, size, 100), (error: KubeError) => /longer than 100 bytes/.test(error.message));
    }
  });

  it("a stream that ends within a line has failed", async () => {
    await assert.rejects(all('{}\n{"type":', 4), (error) => error instanceof KubeError && error.status === undefined);
  });
});
