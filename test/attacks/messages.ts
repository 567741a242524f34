/** What attackers ask for, as bytes. `prepare` in run.ts writes what `EVERYTHING` finds. */
import { RangeRequest, WatchCreateRequest, WatchRequest } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";

export const RANGE_PATH: string = SERVICES.kv.methods.range.path;
export const PUT_PATH: string = SERVICES.kv.methods.put.path;
export const WATCH_PATH: string = SERVICES.watch.methods.watch.path;

const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

/** The whole store: some megabytes. */
export const EVERYTHING: Uint8Array = RangeRequest.encode(RangeRequest.create({ ...ALL, serializable: true }));
export const EVERYTHING_LINEARIZABLE: Uint8Array = RangeRequest.encode(RangeRequest.create(ALL));
/** Every change from now on. */
export const WATCH_EVERYTHING: Uint8Array = WatchRequest.encode(
  WatchRequest.create({ requestUnion: { kind: "create", value: WatchCreateRequest.create(ALL) } }),
);
