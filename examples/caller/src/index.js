// A Worker in JavaScript that calls objects in Rust by Workers RPC.
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/visit") {
      const visits = env.COUNTER.getByName("visits");
      return Response.json({ visits: await visits.increment(1) });
    }
    if (pathname === "/lock") {
      const lock = env.LOCK.getByName("printer");
      try {
        const { token } = await lock.acquire({ holder: "ann", ttl_ms: 30_000 });
        return Response.json({ token });
      } catch (error) {
        if (error.code !== "held") throw error;
        return new Response(error.message, { status: error.status });
      }
    }
    if (pathname.startsWith("/counters/")) {
      // The object's own routes: `fetch` takes a request to the object's own path.
      const name = pathname.slice("/counters/".length);
      return env.COUNTER.getByName(name).fetch("http://object/");
    }
    return new Response("not found", { status: 404 });
  },
};
