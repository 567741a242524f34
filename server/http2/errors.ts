/** The error codes of RFC 9113, section 7, and how a broken connection is told from inside. */

export const Http2Code = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

/** The peer broke the protocol or a bound so that the whole connection ends: `code` and `message` go into GOAWAY. */
export class ConnectionFailure extends Error {
  override readonly name = "ConnectionFailure";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The peer did `what`, which nobody may. */
export function broken(what: string): ConnectionFailure {
  return new ConnectionFailure(Http2Code.PROTOCOL_ERROR, what);
}
