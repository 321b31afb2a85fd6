// The benchmark's counters in TypeScript (without the types): objects called by RPC from a Worker.
import { DurableObject } from "cloudflare:workers";

export class DurableCounter extends DurableObject {
  increment(by) {
    const value = (this.ctx.storage.kv.get("value") ?? 0) + by;
    this.ctx.storage.kv.put("value", value);
    return value;
  }
}

export class MemoryCounter extends DurableObject {
  value = 0;

  increment(by) {
    this.value += by;
    return this.value;
  }
}

export default {
  async fetch(request, env) {
    const segments = new URL(request.url).pathname.slice(1).split("/");
    if (request.method === "POST" && segments[0] === "durable" && segments[2] === "increment") {
      const { by } = await request.json();
      return Response.json(await env.DURABLE_COUNTER.getByName(segments[1]).increment(by));
    }
    if (request.method === "POST" && segments[0] === "memory") {
      return Response.json(await env.MEMORY_COUNTER.getByName("a").increment(1));
    }
    return new Response("not found", { status: 404 });
  },
};
