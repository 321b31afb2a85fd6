// Stands in front of the demo: what goes to the room is handed on, under the object's own path,
// everything else is a call of a method of the room, as an administrator's Worker makes it.
const MOUNT = "/rooms/lobby";

export default {
  async fetch(request, env) {
    const room = env.CHAT_ROOM.getByName("lobby");
    const url = new URL(request.url);
    if (url.pathname.startsWith(`${MOUNT}/`)) {
      url.pathname = url.pathname.slice(MOUNT.length);
      return room.fetch(new Request(url, request));
    }
    const { method, values } = await request.json();
    try {
      return Response.json({ value: (await room[method](...values)) ?? null });
    } catch ({ code, status, message }) {
      return Response.json({ error: { code, status, message } });
    }
  },
};
