// The protocol of one user in one room, without the page. Each message is delivered once, in the order of
// ids and without a gap, across reconnections. What the user posts is resent until it is stored.

import { ask, path, randomId } from "../http.js";
import { LastingSocket } from "../socket.js";

const PAGE = 50;
/** At most one `typing` event in this many milliseconds. Other clients show it for a few seconds. */
const TYPING_EVERY = 2_000;
/** The close code of a removed member, whose client must not reconnect by itself. */
const REMOVED = 4_003;

/** The listener of a room that the user has left. */
const NO_LISTENER = new Proxy({}, { get: () => () => {} });

export class Room {
  #name;
  #user;
  #listener;
  #socket;
  #oldest = Infinity;
  #newest = 0;
  #pending = new Map();
  #lastTyping = 0;
  // Messages are processed one after the other, because filling a gap takes a request.
  #inbox = Promise.resolve();
  #connection = 0;
  /** Whether this connection has delivered the missed messages. Nothing is posted on it before that. */
  #welcomed = false;
  #isLeaving = false;

  /**
   * `listener` has `messages(newer)`, `stored(clientId)`, `members(names)`, `joined(user)`, `left(user)`,
   * `typing(user)`, `refused(message, clientId?)`, `sentOut(reason)`, `forgotten()`, called if the room's
   * storage was deleted, and `state("connecting" | "open" | "waiting")`.
   */
  constructor(name, user, listener) {
    this.#name = name;
    this.#user = user;
    this.#listener = listener;
    this.#socket = new LastingSocket(() => this.#address(), {
      text: (text) => this.#take(text),
      closed: (code, reason) => {
        if (code !== REMOVED) return;
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

  /** Posts a text, at once or after reconnecting. Returns its client id. */
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

  /** Returns the page of messages before the oldest delivered one, and whether there are more. */
  async older() {
    if (this.#oldest <= 1 || this.#oldest === Infinity) return { messages: [], more: false };
    const { messages, more } = await this.#history(this.#oldest);
    if (messages.length > 0) this.#oldest = messages[0].id;
    return { messages, more: more && messages.length > 0 };
  }

  /** Stops listening, and leaves the room when all posts are stored. */
  leave() {
    this.#isLeaving = true;
    this.#listener = NO_LISTENER;
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
        // A gap could not be filled. What follows it must not be shown, so the connection is replaced.
        // The next one resumes before the gap.
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
    // Including messages received before, because one may acknowledge a resend.
    for (const message of [...messages, ...newer]) this.#settle(message);
    if (newer.length === 0) return;
    this.#oldest = Math.min(this.#oldest, newer[0].id);
    this.#newest = newer.at(-1).id;
    this.#listener.messages(newer);
  }

  /** Returns the messages between the newest one and `before` that the room still keeps. */
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

  /** Starts from the beginning. The room's storage was deleted: its ids are below those received. */
  #forget() {
    this.#oldest = Infinity;
    this.#newest = 0;
    this.#listener.forgotten();
  }

  #refused({ message, client_id: clientId, retry_after_ms: wait }) {
    if (typeof wait === "number" && this.#pending.has(clientId)) {
      // Over the rate limit: resent on this connection or, after the welcome, on the next.
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
