/** What a header block says when it opens a request, or ends one as trailers: read and judged once for equal blocks. */
import type { HeaderList } from "./hpack.ts";
import type { HeaderField } from "./hpack-table.ts";

/** Never in HTTP/2 (RFC 9113, section 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

export class RequestHead {
  method = "";
  scheme = "";
  authority = "";
  path = "";
  /** Undefined: it is not said. */
  contentLength: number | undefined;
  /** All of them, in their order; pseudo-header fields first. */
  readonly fields: readonly HeaderField[];
  readonly tooLarge: boolean;
  /** Why it is malformed; "": it is not. */
  readonly fault: string;
  /** Why it cannot be trailers; "": it can. */
  readonly trailerFault: string;
  /** For whoever takes requests: what was made of it, kept as long as the same block comes again. */
  tag: unknown;

  constructor({ fields, tooLarge }: HeaderList) {
    this.fields = fields;
    this.tooLarge = tooLarge;
    let pseudo = 0;
    let fault = "";
    let regular = false;
    for (const field of fields) {
      field.fault ??= faultOf(field);
      fault ||= field.fault;
      if (field.name.charCodeAt(0) !== 0x3a) {
        regular = true;
        if (field.name === "content-length") fault ||= this.#readLength(field.value);
        continue;
      }
      if (regular) fault ||= "a pseudo-header field after a regular one";
      fault ||= this.#readPseudo(field);
      pseudo++;
    }
    this.trailerFault = fault || (pseudo > 0 ? "a pseudo-header field in trailers" : "");
    if (fault === "" && (this.method === "" || this.scheme === "" || this.path === ""))
      fault = "no method, scheme or path";
    this.fault = fault;
  }

  /** The first of that name; undefined: there is none. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }

  #readLength(value: string): string {
    if (!/^\d{1,15}$/.test(value)) return "a content-length that is no number";
    if (this.contentLength !== undefined && this.contentLength !== Number(value)) return "two lengths";
    this.contentLength = Number(value);
    return "";
  }

  #readPseudo({ name, value }: HeaderField): string {
    if (value === "" && name !== ":authority") return `an empty ${name}`;
    switch (name) {
      case ":method":
        if (this.method !== "") return "two methods";
        this.method = value;
        return "";
      case ":scheme":
        if (this.scheme !== "") return "two schemes";
        this.scheme = value;
        return "";
      case ":path":
        if (this.path !== "") return "two paths";
        this.path = value;
        return "";
      case ":authority":
        if (this.authority !== "") return "two authorities";
        this.authority = value;
        return "";
      default:
        return `a pseudo-header field ${JSON.stringify(name)}`;
    }
  }
}

/** What is wrong with a field wherever it stands. */
function faultOf({ name, value }: HeaderField): string {
  if (!/^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return "a name that is none";
  if (CONNECTION_FIELDS.has(name)) return `a field ${name}`;
  if (name === "te" && value !== "trailers") return "a te other than trailers";
  if (/[\0\r\n]|^[ \t]|[ \t]$/.test(value)) return `a value of ${name} with characters that it must not have`;
  return "";
}
