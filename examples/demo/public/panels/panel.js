// The base of the panels: a named object whose state is polled, and a line for errors.

import { ask } from "../http.js";

export class Panel {
  #named;
  #note;
  #timer = null;
  #isKeptFresh = false;

  constructor(id) {
    this.section = document.getElementById(id);
    this.#named = this.find("[name=object]");
    this.#note = this.find(".note");
    this.#named.addEventListener("change", () => {
      if (this.name === "") this.#named.value = this.#named.defaultValue;
      this.#note.textContent = "";
      this.renamed();
      this.refreshSoon();
    });
  }

  /** The object's path. */
  get path() {
    throw new Error("a panel must define `path`");
  }

  /** Fetches and shows the object's state. Returns the milliseconds until the next refresh. */
  async refresh() {
    return 1_000;
  }

  /** Called when the panel shows another object. */
  renamed() {}

  get name() {
    return this.#named.value.trim();
  }

  set name(name) {
    this.#named.value = name;
    this.renamed();
    this.refreshSoon();
  }

  find(selector) {
    return this.section.querySelector(selector);
  }

  field(name) {
    return this.find(`[data-field=${name}]`);
  }

  /** Lights the panel's window while the object is active. */
  set lit(lit) {
    this.find(".title .window").toggleAttribute("data-lit", lit);
  }

  /** Runs a user's action, and shows its error if it fails. */
  async attempt(work) {
    try {
      this.#note.textContent = "";
      await work();
    } catch (error) {
      this.#note.textContent = error.message;
    }
    this.refreshSoon();
  }

  /** Sends a request, and shows it with its response as they were sent. */
  async call(method, path, body) {
    const request = `${method} ${decodeURI(path)} ${body === undefined ? "" : shown(body)}`;
    try {
      const answer = await ask(method, path, body);
      this.#showWire(request, answer === null ? "done" : shown(answer));
      return answer;
    } catch (error) {
      if (error.status !== undefined) this.#showWire(request, `${error.status} ${shown(error.body)}`);
      throw error;
    }
  }

  /** Fetches the object's state. The first response is also shown as it was sent. */
  look(path) {
    return this.field("wire").textContent === "" ? this.call("GET", path) : ask("GET", path);
  }

  #showWire(...lines) {
    this.field("wire").replaceChildren(
      ...lines.map((text) => {
        const line = document.createElement("span");
        line.textContent = text;
        return line;
      }),
    );
  }

  /** Starts polling the object's state while the page is visible. */
  keepFresh() {
    this.#isKeptFresh = true;
    document.addEventListener("visibilitychange", () => this.refreshSoon());
    this.refreshSoon();
  }

  refreshSoon() {
    if (!this.#isKeptFresh) return;
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#refreshNow(timer));
    this.#timer = timer;
  }

  async #refreshNow(timer) {
    if (document.hidden) return;
    let next = 2_000;
    try {
      next = await this.refresh();
      this.section.classList.remove("stale");
    } catch {
      // Marks the state as out of date. The room's status shows the cause, once for the whole page.
      this.section.classList.add("stale");
    }
    // A later call may have started another timer.
    if (timer === this.#timer) this.#timer = setTimeout(() => this.refreshSoon(), next);
  }
}

const announcements = document.getElementById("announcements");

/** Makes a screen reader announce the result of a user's action. Other changes are not announced. */
export function announce(text) {
  announcements.textContent = text;
}

/** Returns JSON for display, without lease secrets: a visible one would allow others to release the lock. */
function shown(value) {
  return JSON.stringify(value, (key, part) => (key === "lease" ? "…" : part));
}
