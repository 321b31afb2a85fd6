// A counter with a name or a random id.

import { path } from "../http.js";
import { Panel, announce } from "./panel.js";

const RANDOM_ID = /^[0-9a-f]{64}$/;

export function startCounter() {
  new CounterPanel("counter").keepFresh();
}

class CounterPanel extends Panel {
  constructor(id) {
    super(id);
    for (const button of this.section.querySelectorAll("[data-by]")) {
      button.addEventListener("click", () => this.attempt(() => this.#increment(Number(button.dataset.by))));
    }
    this.find("[data-action=scratch]").addEventListener("click", () => this.attempt(() => this.#create()));
  }

  get path() {
    return path(RANDOM_ID.test(this.name) ? "scratch" : "counters", this.name);
  }

  async refresh() {
    const asked = this.path;
    const value = await this.look(asked);
    if (asked === this.path) this.#show(value);
    return 1_000;
  }

  async #increment(by) {
    this.#show(await this.call("POST", `${this.path}/increment`, { by }));
    announce(`${this.field("value").textContent}`);
  }

  async #create() {
    const { id } = await this.call("POST", "/scratch");
    this.name = id;
    announce("A new counter, under a random id.");
  }

  #show(value) {
    this.field("value").textContent = value.toLocaleString();
    this.lit = value !== 0;
  }
}
