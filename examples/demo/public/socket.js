// A WebSocket that comes back: after a lost connection it is opened again until it is closed for good.

const FIRST_DELAY = 250;
const LONGEST_DELAY = 8_000;
/** How often a quiet connection is asked whether it is alive, and how long the answer may take. */
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
   * `address()` is asked for a path before every attempt, so that it can say what was seen already.
   * `listener` has `text(text)`, `state("connecting" | "open" | "waiting")` and, if it cares why a
   * connection ended, `closed(code, reason)`, in which it may close this for good.
   *
   * The server answers the text `ping` with `pong`; a connection that does not is given up.
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

  /** Sends if there is a connection, and says whether there was one. */
  send(value) {
    if (!this.isOpen) return false;
    this.#socket.send(typeof value === "string" ? value : JSON.stringify(value));
    return true;
  }

  /** Gives the connection up and opens another one. */
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
      // Not on `open`: a host that accepts and closes at once must not be asked without end.
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

  /** Something was heard: the connection lives, ask again later. */
  #listen() {
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => {
      this.send("ping");
      // A dead peer closes nothing: waiting for `close` could take minutes.
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
    // Spread, so that a restarted host is not met by all its clients at once.
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
