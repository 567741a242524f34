/**
 * The Huffman code of RFC 7541, appendix B. The code is canonical, so the lengths alone say all of it: codes of one
 * length are numbered in the order of their symbols. Decoded four bits at a time by a table that is built once.
 */

/** Length in bits of the code of each byte. */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26,
];
/** The end-of-string symbol, which never stands in a string; its beginning fills the last byte. */
const EOS = 256;
const EOS_BITS = 30;

const CODES = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(EOS + 1);
  const symbols = Array.from({ length: EOS + 1 }, (_, symbol) => symbol);
  const lengthOf = (symbol: number) => LENGTHS[symbol] ?? EOS_BITS;
  symbols.sort((left, right) => lengthOf(left) - lengthOf(right) || left - right);
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    const length = lengthOf(symbol);
    code *= 2 ** (length - bits);
    bits = length;
    codes[symbol] = code++;
  }
  return codes;
}

/**
 * One row of 16 for each inner node of the code's tree; an entry for four bits of input:
 * `next node << 16 | symbol << 8 | flags`.
 */
const EMITS = 1;
const FAILS = 2;
/** The input may end after these bits: what has come since the last symbol is the beginning of EOS and short enough. */
const MAY_END = 4;
const TABLE = decodeTable();

function decodeTable(): Uint32Array {
  // The tree: children of node n at 2n and 2n+1; a leaf is -1 - symbol, a hole is 0.
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol <= EOS; symbol++) {
    const length = LENGTHS[symbol] ?? EOS_BITS;
    const code = CODES[symbol] as number;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const slot = node * 2 + ((code >>> bit) & 1);
      let next = children[slot] as number;
      if (next === 0) {
        next = children.length / 2;
        children.push(0, 0);
        children[slot] = next;
      }
      node = next;
    }
    children[node * 2 + (code & 1)] = -1 - symbol;
  }
  const nodes = children.length / 2;
  const mayEnd = new Uint8Array(nodes);
  for (let node = 0, depth = 0; depth < 8; depth++) {
    mayEnd[node] = 1;
    node = children[node * 2 + 1] as number; // EOS is ones only
  }
  const table = new Uint32Array(nodes * 16);
  for (let node = 0; node < nodes; node++) {
    for (let input = 0; input < 16; input++) table[node * 16 + input] = step(children, mayEnd, node, input);
  }
  return table;
}

function step(children: readonly number[], mayEnd: Uint8Array, from: number, input: number): number {
  let node = from;
  let symbol = -1;
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[node * 2 + ((input >>> bit) & 1)] as number;
    if (next >= 0) node = next;
    else {
      symbol = -1 - next;
      if (symbol === EOS) return FAILS;
      node = 0; // the shortest code has five bits: at most one symbol a step
    }
  }
  return ((node << 16) | (symbol < 0 ? 0 : (symbol << 8) | EMITS) | (mayEnd[node] === 1 ? MAY_END : 0)) >>> 0;
}

/** Longest text that a string of `bytes` bytes can be: the shortest code has five bits. */
export function decodedMax(bytes: number): number {
  return Math.floor((bytes * 8) / 5);
}

/** Writes the decoded bytes at the start of `into`, which has room for them; answers how many, or -1. */
export function huffmanDecode(bytes: Uint8Array, from: number, to: number, into: Uint8Array): number {
  let node = 0;
  let length = 0;
  let entry = MAY_END;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    entry = TABLE[node * 16 + (byte >>> 4)] as number;
    if ((entry & FAILS) !== 0) return -1;
    if ((entry & EMITS) !== 0) into[length++] = entry >>> 8;
    node = entry >>> 16;
    entry = TABLE[node * 16 + (byte & 15)] as number;
    if ((entry & FAILS) !== 0) return -1;
    if ((entry & EMITS) !== 0) into[length++] = entry >>> 8;
    node = entry >>> 16;
  }
  return (entry & MAY_END) === 0 ? -1 : length;
}

/** Bytes that a latin1 text takes. */
export function huffmanSize(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += LENGTHS[text.charCodeAt(at) & 0xff] as number;
  return (bits + 7) >>> 3;
}

/** Writes a latin1 text at `start`, which has `huffmanSize` bytes of room; answers where it ends. */
export function huffmanEncode(text: string, into: Uint8Array, start: number): number {
  let at = start;
  let held = 0; // bits not yet written, the lowest `count` of it
  let count = 0;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff;
    let length = LENGTHS[symbol] as number;
    const code = CODES[symbol] as number;
    while (length > 0) {
      const take = Math.min(length, 8 - count);
      held = (held << take) | ((code >>> (length - take)) & ((1 << take) - 1));
      count += take;
      length -= take;
      if (count === 8) {
        into[at++] = held;
        held = 0;
        count = 0;
      }
    }
  }
  if (count > 0) into[at++] = (held << (8 - count)) | (0xff >>> count);
  return at;
}
