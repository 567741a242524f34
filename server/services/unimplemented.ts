/** Calls that come later: refused in the words of a gRPC server that knows a method and cannot do it. */
import { EtcdError } from "../base/error.ts";

/** A handler, of any kind, that refuses. */
export function unimplemented(method: string): () => never {
  return () => {
    throw new EtcdError("Unimplemented", `method ${method} not implemented`);
  };
}
