/**
 * Lines of a stream of bytes that may be cut anywhere, within a character too: the lines are found as bytes and become
 * text only when they are whole.
 */
import { KubeError } from "./kube.ts";

const NEWLINE = 0x0a;

/**
 * Each line without its end; empty ones are left out. A line of more than `maxBytes`, and a stream that ends within a
 * line, is a `KubeError`.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      if (size + end - start > maxBytes) throw tooLong(maxBytes);
      const line = Buffer.concat(parts).toString("utf8");
      parts.length = 0;
      size = 0;
      start = end + 1;
      if (line.trim() !== "") yield line;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > maxBytes) throw tooLong(maxBytes);
  }
  if (size > 0) throw new KubeError(`the watch ended within a line, after ${size} bytes of it`);
}

function tooLong(maxBytes: number): KubeError {
  return new KubeError(`a line of the watch is longer than ${maxBytes} bytes: no object of Kubernetes is`);
}
