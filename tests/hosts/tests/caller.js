// Calls a method of an object by native RPC, as a Worker in JavaScript does, and returns the
// result.
export default {
  async fetch(request, env) {
    if (request.headers.get("upgrade") === "websocket") {
      // /BINDING/name/… is the object's own path, for example a socket that shows the effects of
      // calls.
      const url = new URL(request.url);
      const [, binding, name, ...path] = url.pathname.split("/");
      url.pathname = path.join("/");
      return env[binding].getByName(name).fetch(new Request(url, request));
    }
    const { binding, name, method, values } = await request.json();
    const stub = env[binding].getByName(name);
    try {
      const value = await stub[method](...values);
      const json = typeof value === "bigint" ? `${value}` : (value ?? null);
      return Response.json({ value: json, type: typeof value });
    } catch (error) {
      const { name, message, stack, code, status, remote, retryable } = error;
      return Response.json({ error: { name, message, stack, code, status, remote, retryable } });
    }
  },
};
