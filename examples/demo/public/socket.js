// A WebSocket that reconnects after a lost connection, until it is closed.

const FIRST_DELAY = 250;
const LONGEST_DELAY = 8_000;
/** Milliseconds without a message until a ping is sent, and until the connection is replaced after that. */
const PING_EVERY = 15_000;
const PONG_WITHIN = 5_000;

export class LastingSocket {
  #address;
  #listener;
  #socket = null;
  #delay = FIRST_DELAY;
  #timer = null;
  #heartbeat = null;
  #closed = false;

  /**
   * `address()` returns the path, and is called before each attempt, so that it can name the newest
   * message received. `listener` has `text(text)`, `state("connecting" | "open" | "waiting")` and,
   * optionally, `closed(code, reason)`, which may call `close()`.
   *
   * The server answers the text `ping` with `pong`. A connection without that answer is replaced.
   */
  constructor(address, listener) {
    this.#address = address;
    this.#listener = listener;
    window.addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    this.#open();
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends a value if the socket is open. Returns whether it was. */
  send(value) {
    if (!this.isOpen) return false;
    this.#socket.send(typeof value === "string" ? value : JSON.stringify(value));
    return true;
  }

  /** Replaces the connection by a new one. */
  reopen() {
    this.#drop();
    this.#retry();
  }

  close() {
    this.#closed = true;
    this.#drop();
    clearTimeout(this.#timer);
    window.removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
  }

  #open() {
    this.#listener.state("connecting");
    const address = new URL(this.#address(), location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      this.#listener.state("open");
      this.#listen();
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      // Not reset on `open`: a host that accepts and closes at once would get attempts without a delay.
      this.#delay = FIRST_DELAY;
      this.#listen();
      if (data !== "pong") this.#listener.text(data);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (socket !== this.#socket) return;
      this.#listener.closed?.(code, reason);
      this.reopen();
    });
  }

  /** Starts the heartbeat again, because a message has arrived. */
  #listen() {
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => {
      this.send("ping");
      // A dead peer sends no Close, and the browser's own `close` event could take minutes.
      this.#heartbeat = setTimeout(() => this.reopen(), PONG_WITHIN);
    }, PING_EVERY);
  }

  #drop() {
    clearTimeout(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #retry() {
    if (this.#closed) return;
    this.#listener.state("waiting");
    // Jitter, so that the clients of a restarted host do not all reconnect at the same time.
    const delay = this.#delay * (0.5 + Math.random());
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  #hurry = () => {
    if (document.hidden || this.#closed || this.#socket !== null) return;
    clearTimeout(this.#timer);
    this.#open();
  };
}
