// Runs in front of the demo. Requests for the room are passed on, with the object's own path. All
// others call a method of the room, as an administrator's Worker does.
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
