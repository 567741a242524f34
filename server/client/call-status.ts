/** How a call of the client ended. */
import type { Metadata, StatusObject } from "@grpc/grpc-js";

export interface CallStatus {
  /** gRPC's. */
  readonly code: number;
  readonly text: string;
  /** What the server sent at the end; with a call that has no answer, its only headers. */
  readonly trailers: Metadata;
}

/** A call that ended with anything but OK. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: CallStatus;

  constructor(status: CallStatus) {
    super(`${status.code}: ${status.text}`);
    this.status = status;
  }
}

export function ended({ code, details, metadata }: StatusObject): CallStatus {
  return { code, text: details, trailers: metadata };
}
