/** Fills a store: each key once, in an order that no index likes better than another, in txns of many puts. */
import { SERVICES } from "../../../server/proto/services.ts";
import { type ConnectionUser, type Head, RawConnection, type Target } from "./connection.ts";
import { FILL_PUTS, fillOf } from "./shapes.ts";
import type { Template } from "./template.ts";

export interface FillLoad {
  readonly target: Target;
  readonly prefix: string;
  /** Keys are filled up to this length; 0: they are as long as they are. */
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly keys: number;
  /** Txns. */
  readonly inFlight: number;
}

/** A prime that does not divide a number of keys: steps of it reach each key once. */
const STRIDE = 7_368_787;
/** A txn must fit into the window that a stream has when nobody has said anything else: it would never be sent. */
const MESSAGE_BYTES = 60_000;
/** What a put has around its value, and its key when that is short. */
const PUT_OVERHEAD = 48;

export async function runFill(load: FillLoad): Promise<{ count: number; seconds: number }> {
  const startMs = performance.now();
  const puts = Math.min(FILL_PUTS, Math.floor(MESSAGE_BYTES / (load.valueBytes + load.keyBytes + PUT_OVERHEAD)));
  const whole = load.keys - (load.keys % puts);
  await runTxns(load, 0, whole, puts);
  await runTxns(load, whole, load.keys, 1);
  return { count: load.keys, seconds: (performance.now() - startMs) / 1000 };
}

async function runTxns(load: FillLoad, from: number, to: number, puts: number): Promise<void> {
  if (from === to) return;
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const template: Template = fillOf(load.prefix, load.keyBytes, load.valueBytes, puts);
  let next = from;
  let waiting = 0;
  let head: Head | undefined;
  const send = () => {
    while (head !== undefined && waiting < load.inFlight && next < to && connection.fits(template.bytes.length)) {
      for (let place = 0; place < puts; place++, next++) template.setKeyAt(place, (next * STRIDE) % load.keys);
      connection.request(head, template.bytes);
      waiting++;
    }
  };
  const user: ConnectionUser = {
    data: () => {},
    done: () => {
      waiting--;
      if (next === to && waiting === 0) finish();
      else send();
    },
    room: () => {
      if (head !== undefined) send(); // settings come before there is a connection to send on
    },
  };
  const connection = await RawConnection.open(load.target, user);
  head = connection.head(SERVICES.kv.methods.txn.path);
  send();
  connection.flush();
  await Promise.race([finished, connection.failed]);
  connection.close();
}
