/** One request, its status checked and its answer given back: what a load that sees no status is held against. */
import { RawConnection, type Target } from "./connection.ts";

/** `message` has gRPC's five bytes; the answer has not. Rejects when the status is not OK. */
export async function callOnce(target: Target, path: string, message: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = [];
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const connection = await RawConnection.open(target, {
    data: (_, bytes, from, to) => parts.push(Buffer.from(bytes.subarray(from, to))),
    done: () => finish(),
    room: () => {},
  });
  try {
    connection.request(connection.head(path), message);
    connection.flush();
    await Promise.race([finished, connection.failed]);
  } finally {
    connection.close();
  }
  const answer = Buffer.concat(parts);
  if (answer.length < 5 || answer.readUInt32BE(1) !== answer.length - 5)
    throw new Error(`an answer of ${answer.length} bytes, which is not one message`);
  return answer.subarray(5);
}
