/**
 * The header of answers, by etcd's rules: ids and term are those of the answering member at this moment; a revision
 * that the work itself has set stays, a missing one becomes the store's current revision.
 */
import type { ResponseHeader } from "../proto/etcdserverpb.ts";

/** Where ids, term and current revision come from. */
export interface HeaderSource {
  header(): ResponseHeader;
}

/** Fills in the header of `response`, and gives it back. */
export function withHeader<T extends { header: ResponseHeader | undefined }>(response: T, source: HeaderSource): T {
  response.header = headerAt(source, response.header?.revision ?? 0);
  return response;
}

/** A full header with this revision; 0: the current one. */
export function headerAt(source: HeaderSource, revision: number): ResponseHeader {
  const header = source.header();
  if (revision !== 0) header.revision = revision;
  return header;
}

/** A header whose revision stays as it is given, 0 too: calls about members, the end of a compacted watch. */
export function headerWithRevision(source: HeaderSource, revision: number): ResponseHeader {
  const header = source.header();
  header.revision = revision;
  return header;
}
