/**
 * What an alarm or the quota keeps out, asked in this order for each committed entry. The alarm gates refuse; the quota
 * gate never does: a request that passed the door is applied on every member alike, and only its answer says that the
 * space is used up (etcd's behaviour).
 */
import type { ErrorCode } from "../base/error.ts";
import { AlarmType, type InternalRequest } from "../proto/etcdserverpb.ts";
import { costBytes } from "./costs.ts";
import type { State } from "./state.ts";

/** Why alarms refuse this request; undefined when they let it through. */
export function alarmGate(state: State, request: InternalRequest): ErrorCode | undefined {
  if (state.alarms.isActive(AlarmType.CORRUPT) && touchesData(request)) return "Corrupt";
  if (state.alarms.isActive(AlarmType.NOSPACE) && costBytes(request) > 0) return "NoSpace";
  return undefined;
}

/** Whether the data and a request that costs so many bytes (`costBytes`) fit the quota. */
export function withinQuota(state: State, cost: number): boolean {
  return cost === 0 || state.quotaBytes === undefined || state.backend.sizeInUseBytes() + cost < state.quotaBytes;
}

function touchesData(request: InternalRequest): boolean {
  switch (request.kind) {
    case "range":
    case "put":
    case "deleteRange":
    case "txn":
    case "compaction":
    case "leaseGrant":
    case "leaseRevoke":
      return true;
    default:
      return false;
  }
}
