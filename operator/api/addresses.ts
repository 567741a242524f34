/** Addresses and networks in a spec: whether a text is one, so that a typing error is found before a Service is made. */

const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`);

/** Whether the text is an IPv4 or IPv6 address, without a zone. */
export function isAddress(text: string): boolean {
  return IPV4.test(text) || isIpv6(text);
}

/** Whether the text is an address and the length of a prefix that fits it, such as 10.0.0.0/8. */
export function isNetwork(text: string): boolean {
  const [address = "", length = "", more] = text.split("/");
  if (more !== undefined || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return false;
  return (IPV4.test(address) && Number(length) <= 32) || (isIpv6(address) && Number(length) <= 128);
}

/** Eight groups of 16 bits; "::" stands once for one or more groups of nothing; the last two may be an IPv4 address. */
function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1) ?? "";
  const isMixed = IPV4.test(last) && !text.endsWith("::");
  const count = groups.length + (isMixed ? 1 : 0);
  const plain = isMixed ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? count <= 7 : count === 8;
}
