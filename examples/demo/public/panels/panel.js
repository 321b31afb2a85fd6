// What the panels have in common: a named object, its state asked for again and again, and a line for what goes wrong.

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
    throw new Error("each panel has a path");
  }

  /** Shows what the object says; returns after how many milliseconds it is to be asked again. */
  async refresh() {
    return 1_000;
  }

  /** The panel is about another object now. */
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

  /** Whether there is light in the panel's window: the object is at work. */
  set lit(lit) {
    this.find(".title .window").toggleAttribute("data-lit", lit);
  }

  /** Runs what a person asked for, and says what went wrong, if anything did. */
  async attempt(work) {
    try {
      this.#note.textContent = "";
      await work();
    } catch (error) {
      this.#note.textContent = error.message;
    }
    this.refreshSoon();
  }

  /** `ask`, and the request and its answer are shown as they were. */
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

  /** The object's state; the first time the answer is shown, too, as it was. */
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

  /** From now on the object is asked for its state, as long as somebody looks at the page. */
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
      // What is shown is old, which is to be seen. The room's status says why, once for the whole page.
      this.section.classList.add("stale");
    }
    // A later call may have begun another round meanwhile.
    if (timer === this.#timer) this.#timer = setTimeout(() => this.refreshSoon(), next);
  }
}

const announcements = document.getElementById("announcements");

/** Has a screen reader say what a person has just brought about; states that change by themselves would be noise. */
export function announce(text) {
  announcements.textContent = text;
}

/** JSON for people to read. Whoever reads a lease over somebody's shoulder could release their lock. */
function shown(value) {
  return JSON.stringify(value, (key, part) => (key === "lease" ? "…" : part));
}
