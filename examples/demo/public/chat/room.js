// One user in one room: the protocol, without a page. Every message is handed on once, in the order of
// ids and without a gap, whatever happens to the connection; what the user posts is sent until it is stored.

import { ask, path, randomId } from "../http.js";
import { LastingSocket } from "../socket.js";

const PAGE = 50;
/** Others forget after a few seconds that somebody types. */
const TYPING_EVERY = 2_000;
/** The close code of whoever is sent out of the room; coming back is not ours to decide then. */
const SENT_OUT = 4_003;

/** The listener of a room that was left. */
const NOBODY = new Proxy({}, { get: () => () => {} });

export class Room {
  #name;
  #user;
  #listener;
  #socket;
  #oldest = Infinity;
  #newest = 0;
  #pending = new Map();
  #lastTyping = 0;
  // What a socket says is taken in one after the other, because filling a gap takes a request.
  #inbox = Promise.resolve();
  #connection = 0;
  /** Whether this connection has said what was missed: before that, nothing is posted on it. */
  #welcomed = false;
  #isLeaving = false;

  /**
   * `listener` has `messages(newer)`, `stored(clientId)`, `members(names)`, `joined(user)`, `left(user)`,
   * `typing(user)`, `refused(message, clientId?)`, `sentOut(reason)`, `forgotten()`, if the room has lost what it
   * had, and `state("connecting" | "open" | "waiting")`.
   */
  constructor(name, user, listener) {
    this.#name = name;
    this.#user = user;
    this.#listener = listener;
    this.#socket = new LastingSocket(() => this.#address(), {
      text: (text) => this.#take(text),
      closed: (code, reason) => {
        if (code !== SENT_OUT) return;
        this.#close();
        this.#listener.sentOut(reason);
      },
      state: (state) => {
        this.#welcomed = false;
        if (state === "open") this.#connection += 1;
        else this.#listener.state(state);
      },
    });
  }

  /** Posts a text, now or when the room can be reached again, and returns the id it goes under. */
  post(text) {
    const clientId = randomId();
    this.#pending.set(clientId, text);
    if (this.#welcomed) this.#send(clientId, text);
    return clientId;
  }

  typing() {
    const now = Date.now();
    if (now - this.#lastTyping < TYPING_EVERY) return;
    if (this.#socket.send({ type: "typing" })) this.#lastTyping = now;
  }

  /** The page of messages before the oldest one that was handed on, and whether there are more. */
  async older() {
    if (this.#oldest <= 1 || this.#oldest === Infinity) return { messages: [], more: false };
    const { messages, more } = await this.#history(this.#oldest);
    if (messages.length > 0) this.#oldest = messages[0].id;
    return { messages, more: more && messages.length > 0 };
  }

  /** Goes out, unheard from now on, as soon as all that was posted is stored. */
  leave() {
    this.#isLeaving = true;
    this.#listener = NOBODY;
    this.#closeIfDone();
  }

  #closeIfDone() {
    if (this.#isLeaving && this.#pending.size === 0) this.#close();
  }

  #close() {
    this.#connection += 1;
    this.#socket.close();
  }

  #address() {
    const query = new URLSearchParams({ user: this.#user });
    if (this.#newest > 0) query.set("since", this.#newest);
    return `${path("rooms", this.#name, "ws")}?${query}`;
  }

  #history(before) {
    return ask("GET", `${path("rooms", this.#name, "history")}?before=${before}&limit=${PAGE}`);
  }

  #send(clientId, text) {
    this.#socket.send({ type: "post", text, client_id: clientId });
  }

  #take(text) {
    const connection = this.#connection;
    this.#inbox = this.#inbox
      .then(() => connection === this.#connection && this.#receive(JSON.parse(text)))
      .catch(() => {
        // A gap could not be filled. What follows it must not be shown, so this connection is over;
        // the next one asks again from before the gap.
        if (connection !== this.#connection) return;
        this.#connection += 1;
        this.#socket.reopen();
      });
  }

  async #receive(event) {
    switch (event.type) {
      case "welcome":
        if (event.newest < this.#newest) this.#forget();
        await this.#deliver(event.history);
        this.#listener.members(event.members);
        this.#listener.state("open");
        this.#welcomed = true;
        for (const [clientId, text] of this.#pending) this.#send(clientId, text);
        return this.#closeIfDone();
      case "message":
        return this.#deliver([event]);
      case "joined":
      case "left":
      case "typing":
        return this.#listener[event.type](event.user);
      case "error":
        return this.#refused(event);
    }
  }

  async #deliver(messages) {
    let newer = messages.filter((message) => message.id > this.#newest);
    if (this.#newest > 0 && newer[0]?.id > this.#newest + 1) {
      newer = [...(await this.#missing(newer[0].id)), ...newer];
    }
    // What was seen before counts, too: it may be the answer to a resend.
    for (const message of [...messages, ...newer]) this.#settle(message);
    if (newer.length === 0) return;
    this.#oldest = Math.min(this.#oldest, newer[0].id);
    this.#newest = newer.at(-1).id;
    this.#listener.messages(newer);
  }

  /** What lies between the newest message and `before`, as far as the room still keeps it. */
  async #missing(before) {
    const pages = [];
    for (let more = true; more && before > this.#newest + 1; ) {
      const page = await this.#history(before);
      pages.unshift(page.messages.filter((message) => message.id > this.#newest));
      more = page.more && page.messages.length > 0;
      before = page.messages[0]?.id;
    }
    return pages.flat();
  }

  #settle({ user, client_id: clientId }) {
    if (user !== this.#user || !this.#pending.delete(clientId)) return;
    this.#listener.stored(clientId);
    this.#closeIfDone();
  }

  /** The room has fewer messages than were seen: its storage was emptied, and counts from 1 again. */
  #forget() {
    this.#oldest = Infinity;
    this.#newest = 0;
    this.#listener.forgotten();
  }

  #refused({ message, client_id: clientId, retry_after_ms: wait }) {
    if (typeof wait === "number" && this.#pending.has(clientId)) {
      // Too fast, not wrong: it is sent again, on this connection or, after the welcome, on the next.
      const connection = this.#connection;
      setTimeout(() => {
        const text = this.#pending.get(clientId);
        if (connection === this.#connection && text !== undefined) this.#send(clientId, text);
      }, wait);
      return this.#listener.refused(message);
    }
    this.#pending.delete(clientId);
    this.#listener.refused(message, clientId);
    this.#closeIfDone();
  }
}
