// Bytes and texts: deterministic CBOR (RFC 8949, 4.2.1), strict base64, JSON in one form.

export class Refused extends Error {
  constructor(step, why) {
    super(why);
    this.step = step;
  }
}

export const demand = (holds, step, why) => {
  if (!holds) throw new Refused(step, why);
};

const MAX_DEPTH = 8;
const SHORTEST = { 24: [1, 24n], 25: [2, 0x100n], 26: [4, 0x10000n], 27: [8, 0x100000000n] };

export class Tagged {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
  }
}

// Arrays become arrays, maps Map, byte strings Buffer, integers Number or, where that is not exact, BigInt.
export function decodeCbor(bytes, step) {
  const reader = { bytes, at: 0, step };
  const value = readItem(reader, MAX_DEPTH);
  demand(reader.at === bytes.length, step, "bytes follow the CBOR value");
  return value;
}

function take(reader, count) {
  demand(reader.at + count <= reader.bytes.length, reader.step, "the CBOR is cut off");
  reader.at += count;
  return reader.bytes.subarray(reader.at - count, reader.at);
}

function readItem(reader, depth) {
  demand(depth > 0, reader.step, "the CBOR is nested too deep");
  const [head] = take(reader, 1);
  const major = head >> 5;
  let argument = BigInt(head & 31);
  if (argument >= 24n) {
    demand(argument in SHORTEST && major !== 7, reader.step, "an indefinite length, a float or a simple value");
    const [width, least] = SHORTEST[argument];
    argument = BigInt(`0x${take(reader, width).toString("hex")}`);
    demand(argument >= least, reader.step, "a number is not in its shortest form");
  }
  const whole = (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
  if (major === 0) return whole(argument);
  if (major === 1) return whole(-1n - argument);
  demand(major !== 7, reader.step, "a simple value");
  demand(argument <= BigInt(reader.bytes.length), reader.step, "a length is longer than the message");
  const count = Number(argument);
  if (major === 2) return Buffer.from(take(reader, count));
  if (major === 3) return readText(take(reader, count), reader.step);
  if (major === 4) return Array.from({ length: count }, () => readItem(reader, depth - 1));
  if (major === 6) return new Tagged(count, readItem(reader, depth - 1));
  const entries = new Map();
  let before = null;
  for (let number = 0; number < count; number += 1) {
    const start = reader.at;
    const key = readItem(reader, depth - 1);
    const spelt = reader.bytes.subarray(start, reader.at);
    demand(before === null || Buffer.compare(before, spelt) < 0, reader.step, "keys out of order, or twice");
    before = spelt;
    entries.set(key, readItem(reader, depth - 1));
  }
  return entries;
}

export function readText(bytes, step) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused(step, "a text is not UTF-8");
  }
}

export function encodeCbor(value) {
  if (typeof value === "number") return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encodeCbor)]);
  return Buffer.concat([head(2, value.length), value]);
}

function head(major, argument) {
  if (argument < 24) return Buffer.from([(major << 5) | argument]);
  const width = argument < 0x100 ? 1 : argument < 0x10000 ? 2 : argument < 0x100000000 ? 4 : 8;
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64BE(BigInt(argument), 1);
  const short = { 1: 24, 2: 25, 4: 26, 8: 27 }[width];
  return Buffer.concat([Buffer.from([(major << 5) | short]), bytes.subarray(9 - width)]);
}

// Only the one encoding of the bytes is taken: no white space, no missing padding, no stray bits.
export function readBase64(text, step, form = "base64") {
  demand(typeof text === "string", step, "base64 is expected");
  const bytes = Buffer.from(text, form);
  demand(bytes.toString(form) === text, step, "not in the one form of base64");
  return bytes;
}

export function readJson(bytes, step) {
  try {
    return JSON.parse(readText(bytes, step));
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(step, "not JSON");
  }
}

// Members in the order of their names, at every depth.
export function inOrder(value) {
  if (Array.isArray(value)) return value.map(inOrder);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, inOrder(value[name])]),
  );
}
