// The benchmark's objects in TypeScript (without the types): objects called by RPC from a Worker.
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

export class Worker extends DurableObject {
  page(messages) {
    return messages;
  }

  common(before, after) {
    return commonLines(before, after);
  }
}

// The longest common subsequence of the lines of two texts.
function commonLines(before, after) {
  const numbers = new Map();
  const numbered = (text) =>
    text.split("\n").map((line) => {
      let number = numbers.get(line);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(line, number);
      }
      return number;
    });
  const lines = numbered(before);
  const others = Uint32Array.from(numbered(after));
  const row = new Uint32Array(others.length + 1);
  for (const line of lines) {
    let diagonal = 0;
    for (let column = 0; column < others.length; column += 1) {
      const above = row[column + 1];
      row[column + 1] = line === others[column] ? diagonal + 1 : Math.max(above, row[column]);
      diagonal = above;
    }
  }
  return row[others.length];
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
    if (request.method === "POST" && segments[0] === "page") {
      return Response.json(await env.WORKER.getByName("a").page(await request.json()));
    }
    if (request.method === "POST" && segments[0] === "work") {
      const { before, after } = await request.json();
      return Response.json(await env.WORKER.getByName(segments[1]).common(before, after));
    }
    return new Response("not found", { status: 404 });
  },
};
