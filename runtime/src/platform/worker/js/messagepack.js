// Converts the values of native RPC between JavaScript and the runtime's encoding (MessagePack).
// Whole and safe numbers are integers, larger ones are BigInt. `undefined` and `null` are nil. Maps
// and plain objects are maps. A Date is its milliseconds.

const MAX_DEPTH = 128;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function encode(values) {
  const writer = new Writer();
  for (const value of values) writer.value(value, 0);
  return writer.bytes.subarray(0, writer.length);
}

// Encodes a value that a class in JavaScript, or one written with workers-rs, has stored: a
// structured clone. Bytes and typed arrays become lists of numbers, as Rust's vectors are encoded.
export function encodeStored(value) {
  const writer = new Writer();
  writer.bytesAreLists = true;
  writer.value(value, 0);
  return writer.bytes.subarray(0, writer.length);
}

export function decode(bytes) {
  return new Reader(bytes).value();
}

class Writer {
  bytes = new Uint8Array(256);
  view = new DataView(this.bytes.buffer);
  length = 0;
  bytesAreLists = false;

  reserve(count) {
    const start = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    return start;
  }

  // `this.bytes[this.reserve(1)]` would write into the old array if `reserve` has replaced it.
  byte(value) {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }

  sized(marker, size, width) {
    const at = this.reserve(1 + width);
    this.bytes[at] = marker;
    if (width === 1) this.bytes[at + 1] = size;
    else if (width === 2) this.view.setUint16(at + 1, size);
    else this.view.setUint32(at + 1, size);
  }

  raw(bytes) {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  value(value, depth) {
    if (depth > MAX_DEPTH) throw new TypeError(`the value nests deeper than ${MAX_DEPTH} levels`);
    switch (typeof value) {
      case "undefined":
        return this.byte(0xc0);
      case "boolean":
        return this.byte(value ? 0xc3 : 0xc2);
      case "number":
        return this.number(value);
      case "bigint":
        return this.bigint(value);
      case "string":
        return this.string(value);
      case "object":
        return this.object(value, depth + 1);
      default:
        throw new TypeError(`a ${typeof value} has no counterpart in Rust`);
    }
  }

  number(value) {
    if (!Number.isSafeInteger(value)) {
      const at = this.reserve(9);
      this.bytes[at] = 0xcb;
      this.view.setFloat64(at + 1, value);
    } else if (value >= 0 && value < 0x80) {
      this.byte(value);
    } else if (value >= -0x20 && value < 0) {
      this.byte(value & 0xff);
    } else if (value === (value | 0)) {
      this.sized(0xd2, value, 4);
    } else {
      this.bigint(BigInt(value));
    }
  }

  bigint(value) {
    if (value !== BigInt.asIntN(64, value) && value !== BigInt.asUintN(64, value)) {
      throw new TypeError("an integer beyond 64 bits has no counterpart in Rust");
    }
    const at = this.reserve(9);
    this.bytes[at] = value < 0n ? 0xd3 : 0xcf;
    this.view.setBigUint64(at + 1, BigInt.asUintN(64, value));
  }

  string(value) {
    const bytes = encoder.encode(value);
    const size = bytes.length;
    if (size < 0x20) this.byte(0xa0 | size);
    else if (size < 0x100) this.sized(0xd9, size, 1);
    else if (size < 0x10000) this.sized(0xda, size, 2);
    else this.sized(0xdb, size, 4);
    this.raw(bytes);
  }

  object(value, depth) {
    if (value === null) return this.byte(0xc0);
    if (Array.isArray(value) || value instanceof Set || (this.bytesAreLists && isBuffer(value))) {
      const items = Array.isArray(value) ? value : listOf(value);
      this.sized(0xdd, items.length, 4);
      for (const item of items) this.value(item, depth);
    } else if (value instanceof ArrayBuffer) {
      this.binary(new Uint8Array(value));
    } else if (ArrayBuffer.isView(value)) {
      this.binary(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else if (value instanceof Date) {
      this.number(value.getTime());
    } else {
      if (!(value instanceof Map) && !isPlain(value)) {
        const kind = value.constructor?.name ?? "unknown";
        throw new TypeError(`a value of the kind \`${kind}\` has no counterpart in Rust`);
      }
      const entries = value instanceof Map ? [...value] : definedEntries(value);
      this.sized(0xdf, entries.length, 4);
      for (const [key, item] of entries) {
        this.value(key, depth);
        this.value(item, depth);
      }
    }
  }

  binary(bytes) {
    this.sized(0xc6, bytes.length, 4);
    this.raw(bytes);
  }
}

function isBuffer(value) {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function listOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof DataView) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return [...value];
}

function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

// An undefined property counts as missing, as in JSON.
function definedEntries(object) {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

class Reader {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  // The runtime wrote these bytes, so markers that it never writes are not supported.
  value() {
    const marker = this.bytes[this.at++];
    if (marker < 0x80) return marker;
    if (marker < 0x90) return this.map(marker & 0x0f);
    if (marker < 0xa0) return this.array(marker & 0x0f);
    if (marker < 0xc0) return this.string(marker & 0x1f);
    if (marker >= 0xe0) return marker - 0x100;
    switch (marker) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.binary(this.unsigned(1));
      case 0xc5:
        return this.binary(this.unsigned(2));
      case 0xc6:
        return this.binary(this.unsigned(4));
      case 0xca:
        return this.view.getFloat32(this.skip(4));
      case 0xcb:
        return this.view.getFloat64(this.skip(8));
      case 0xcc:
        return this.unsigned(1);
      case 0xcd:
        return this.unsigned(2);
      case 0xce:
        return this.unsigned(4);
      case 0xcf:
        return safe(this.view.getBigUint64(this.skip(8)));
      case 0xd0:
        return this.view.getInt8(this.skip(1));
      case 0xd1:
        return this.view.getInt16(this.skip(2));
      case 0xd2:
        return this.view.getInt32(this.skip(4));
      case 0xd3:
        return safe(this.view.getBigInt64(this.skip(8)));
      case 0xd9:
        return this.string(this.unsigned(1));
      case 0xda:
        return this.string(this.unsigned(2));
      case 0xdb:
        return this.string(this.unsigned(4));
      case 0xdc:
        return this.array(this.unsigned(2));
      case 0xdd:
        return this.array(this.unsigned(4));
      case 0xde:
        return this.map(this.unsigned(2));
      case 0xdf:
        return this.map(this.unsigned(4));
      default:
        throw new TypeError(`unknown marker ${marker} in a result`);
    }
  }

  skip(count) {
    const start = this.at;
    this.at += count;
    return start;
  }

  unsigned(width) {
    const start = this.skip(width);
    if (width === 1) return this.bytes[start];
    return width === 2 ? this.view.getUint16(start) : this.view.getUint32(start);
  }

  string(size) {
    const start = this.skip(size);
    return decoder.decode(this.bytes.subarray(start, this.at));
  }

  binary(size) {
    const start = this.skip(size);
    return this.bytes.slice(start, this.at);
  }

  array(count) {
    const items = new Array(count);
    for (let index = 0; index < count; index++) items[index] = this.value();
    return items;
  }

  // `Object.fromEntries` defines properties, so that a key `__proto__` remains a key.
  map(count) {
    const entries = [];
    let named = true;
    for (let index = 0; index < count; index++) {
      const key = this.value();
      named &&= typeof key === "string";
      entries.push([key, this.value()]);
    }
    return named ? Object.fromEntries(entries) : new Map(entries);
  }
}

function safe(integer) {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}
