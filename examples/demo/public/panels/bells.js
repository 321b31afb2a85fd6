// A socket hub: each bell is a topic, and rings in every subscribed window.

import { path } from "../http.js";
import { LastingSocket } from "../socket.js";
import { Panel, announce } from "./panel.js";

const RINGS = 1_400;

export function startBells() {
  new BellsPanel("bells");
}

class BellsPanel extends Panel {
  #socket = null;
  #bells = new Map();

  constructor(id) {
    super(id);
    for (const bell of this.section.querySelectorAll("[data-topic]")) {
      const { topic } = bell.dataset;
      this.#bells.set(topic, bell);
      bell.querySelector("button").addEventListener("click", () => this.attempt(() => this.#ring(topic)));
      bell.querySelector("input").addEventListener("change", (event) => {
        this.#socket.send({ type: event.target.checked ? "subscribe" : "unsubscribe", topic });
      });
    }
    this.#connect();
  }

  get path() {
    return path("hubs", this.name);
  }

  renamed() {
    this.#socket.close();
    this.#connect();
  }

  #connect() {
    this.#socket = new LastingSocket(() => `${this.path}/ws?${new URLSearchParams({ topics: this.#heard() })}`, {
      text: (text) => this.#receive(JSON.parse(text)),
      state: (state) => {
        this.lit = state === "open";
        this.section.classList.toggle("stale", state === "waiting");
      },
    });
  }

  /** Returns the subscribed topics. Read at each connection, so that a new one has the latest choice. */
  #heard() {
    return [...this.#bells]
      .filter(([, bell]) => bell.querySelector("input").checked)
      .map(([topic]) => topic)
      .join(",");
  }

  async #ring(topic) {
    const { delivered } = await this.call("POST", `${this.path}/publish`, { topic, data: "rings" });
    announce(delivered === 1 ? "Heard in one window." : `Heard in ${delivered} windows.`);
  }

  #receive(event) {
    const bell = this.#bells.get(event.topic);
    if (event.type !== "event" || bell === undefined) return;
    bell.classList.add("ringing");
    clearTimeout(bell.silence);
    bell.silence = setTimeout(() => bell.classList.remove("ringing"), RINGS);
  }
}
