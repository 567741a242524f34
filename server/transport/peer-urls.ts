/** The peer URLs of one member: one is in use until it fails, then the next one is. */
import { assert } from "../base/assert.ts";

/** A URL that peers can be reached at; throws `TypeError` with what is wrong with it. */
export function parsePeerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new TypeError(`"${text}" is no peer URL: it must be like http://10.0.0.1:2380 or https://10.0.0.1:2380`);
  return url;
}

export class PeerUrls {
  #urls: readonly URL[];
  #at = 0;

  constructor(urls: readonly string[]) {
    assert(urls.length > 0, "a member has a peer URL");
    this.#urls = urls.map(parsePeerUrl);
  }

  pick(): URL {
    return this.#urls[this.#at] as URL;
  }

  /** `url` could not be reached: the next one is tried, unless another has taken its place already. */
  failed(url: URL): void {
    if (url === this.#urls[this.#at]) this.#at = (this.#at + 1) % this.#urls.length;
  }

  update(urls: readonly string[]): void {
    assert(urls.length > 0, "a member has a peer URL");
    this.#urls = urls.map(parsePeerUrl);
    this.#at = 0;
  }
}
