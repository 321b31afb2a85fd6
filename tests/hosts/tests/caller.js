// Calls a method of an object by native RPC, as a Worker in JavaScript does, and tells what it got.
export default {
  async fetch(request, env) {
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
