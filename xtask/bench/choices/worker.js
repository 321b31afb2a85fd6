// The alternatives that anchorhold's Workers backend chose between, one path each, without anchorhold.
import { DurableObject } from "cloudflare:workers";

const JSON_INIT = { headers: { "content-type": "application/json" } };

export class Choices extends DurableObject {
  value = Date.now();
  together = [];

  number(by) {
    return by;
  }

  text(method, args) {
    return args;
  }

  bytes(method, args) {
    return args.slice();
  }

  write() {
    this.ctx.storage.kv.put("value", ++this.value);
    return this.value;
  }

  increment(body) {
    const { by } = JSON.parse(new TextDecoder().decode(body));
    this.value += by;
    return new TextEncoder().encode(this.value);
  }

  // Answers all requests that have arrived together.
  writeTogether() {
    if (this.together.length === 0) {
      setTimeout(() => {
        for (const resolve of this.together.splice(0)) resolve(this.write());
      }, 0);
    }
    return new Promise((resolve) => this.together.push(resolve));
  }

  async fetch(request) {
    return new Response(this.increment(await request.arrayBuffer()), JSON_INIT);
  }
}

const WAYS = {
  "hand-on": (request, object) => object.fetch(request),
  call: async (request, object) => new Response(await object.increment(await request.arrayBuffer()), JSON_INIT),
  number: async (_, object) => Response.json(await object.number(1)),
  text: async (_, object) => new Response(await object.text("number", "\u0001"), JSON_INIT),
  bytes: async (_, object) => new Response(await object.bytes("number", new Uint8Array([1])), JSON_INIT),
  "own-commit": async (_, object) => Response.json(await object.write()),
  "shared-commit": async (_, object) => Response.json(await object.writeTogether()),
};

export default {
  fetch(request, env) {
    const way = WAYS[new URL(request.url).pathname.slice(1)];
    return way ? way(request, env.CHOICES.getByName("a")) : new Response("no such way", { status: 404 });
  },
};
