// Stands in front of the demo: what goes to a room is handed on, everything else is a call of a
// room's method, as an administrator's Worker makes it.
export default {
  async fetch(request, env) {
    const room = env.CHAT_ROOM.getByName("lobby");
    if (new URL(request.url).pathname.startsWith("/rooms/")) return room.fetch(request);
    const { method, values } = await request.json();
    try {
      return Response.json({ value: (await room[method](...values)) ?? null });
    } catch ({ code, status, message }) {
      return Response.json({ error: { code, status, message } });
    }
  },
};
