// A Durable Object class in JavaScript, whose data a class in Rust adopts.
import { DurableObject } from "cloudflare:workers";

const VALUES = {
  whole: {
    count: 5,
    ratio: 7,
    label: "seven",
    flag: true,
    maybe: null,
    list: [1, 2, -3],
    profile: { name: "ann", age: 7, tags: ["a"], more: undefined },
    by_name: new Map([["a", 1]]),
    bytes: new Uint8Array([7, 255]).buffer,
  },
  other: {
    count: 9007199254740993n,
    ratio: 0.5,
    maybe: 3,
    list: new Set([1, 2]),
    by_name: { c: 3 },
    bytes: [1, 255],
    "more/date": new Date(5),
    "more/floats": new Float64Array([1.5]),
    "more/nested": { bytes: new Uint8Array([1, 2]) },
  },
  text: { count: "7" },
  array: { count: [7] },
  fraction: { count: 1.5 },
  object: { count: {} },
  nothing: { count: null },
  boolean: { count: true },
  number: { label: 7 },
  digits: { list: "12" },
  expression: { count: /x/ },
  error: { label: new Error("x") },
  bytes: { label: new Uint8Array([1, 2, 3]) },
};

export class Adopted extends DurableObject {
  fill(values) {
    for (const [key, value] of Object.entries(VALUES[values])) this.ctx.storage.kv.put(key, value);
  }
}

export default {
  async fetch(request, env) {
    for (const name of Object.keys(VALUES)) await env.ADOPTED.getByName(name).fill(name);
    return new Response(null, { status: 204 });
  },
};
