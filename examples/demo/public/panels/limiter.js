// A rate limiter: requests fill its window, which drains with time.

import { Refusal, path } from "../http.js";
import { Panel, announce } from "./panel.js";
import { Strip } from "./strip.js";

/** The greatest limit whose units are shown as cells. */
const MOST_CELLS = 40;

export function startLimiter() {
  new LimiterPanel("limiter").keepFresh();
}

class LimiterPanel extends Panel {
  #strip = new Strip(this.find(".strip"));
  #cells = this.find(".cells");
  #edge = 0;

  constructor(id) {
    super(id);
    for (const button of this.section.querySelectorAll("[data-requests]")) {
      button.addEventListener("click", () => this.attempt(() => this.#ask(Number(button.dataset.requests))));
    }
    this.find("[data-action=reset]").addEventListener("click", () => this.attempt(() => this.#reset()));
    this.find(".policy").addEventListener("change", () => {
      this.renamed();
      this.refreshSoon();
    });
  }

  get path() {
    return path("limits", this.name);
  }

  renamed() {
    this.#strip.clear();
    this.#edge = 0;
  }

  async refresh() {
    if (!this.#isPolicy()) return 1_000;
    const asked = `${this.path}?${new URLSearchParams(this.#policy())}`;
    const answer = await this.look(asked);
    if (asked !== `${this.path}?${new URLSearchParams(this.#policy())}`) return 0;
    this.#show(answer);
    // More often while it drains.
    return answer.remaining < answer.limit ? 250 : 1_000;
  }

  async #ask(requests) {
    if (!this.#isPolicy()) throw new Error("The limit is a whole number from 1 on, the window 0.1 to 3,600 seconds.");
    const policy = this.#policy();
    this.#stretch(policy);
    const answers = await Promise.all(Array.from({ length: requests }, () => this.#check(policy)));
    const allowed = answers.filter((answer) => answer.allowed).length;
    // Answers arrive in any order. The fullest state is the latest.
    const latest = answers.reduce((a, b) => (b.remaining < a.remaining || !b.allowed ? b : a));
    this.#show(latest);
    announce(`${allowed} of ${requests} allowed. ${this.field("reading").textContent}`);
  }

  async #check(policy) {
    let answer;
    try {
      answer = await this.call("POST", `${this.path}/check`, policy);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 429 || error.body?.allowed !== false) throw error;
      answer = error.body;
    }
    const leaves = policy.algorithm.startsWith("sliding") ? policy.window_ms : Infinity;
    this.#strip.mark(answer.allowed ? "allowed" : "refused", { goesOut: leaves });
    return answer;
  }

  async #reset() {
    await this.call("DELETE", this.path);
    this.#strip.clear();
    announce("Reset.");
  }

  #isPolicy() {
    return [...this.section.querySelectorAll(".policy input")].every((input) => input.checkValidity());
  }

  #policy() {
    const value = (name) => this.find(`[name=${name}]`).value;
    return {
      algorithm: value("algorithm"),
      limit: Number(value("limit")),
      window_ms: Math.round(Number(value("seconds")) * 1_000),
    };
  }

  /** Makes the strip show one and a half windows, so that requests before the window are visible. */
  #stretch({ algorithm, window_ms: window }) {
    this.#strip.span = window * 1.5;
    this.find(".strip").dataset.algorithm = algorithm;
  }

  #show(answer) {
    const policy = this.#policy();
    this.#stretch(policy);
    const used = answer.limit - answer.remaining;
    this.lit = used > 0;
    this.#fill(used, answer.limit);
    this.field("reading").textContent = reading(used, answer);
    if (policy.algorithm === "fixed_window") this.#markEdge(answer.reset_ms, policy.window_ms);
  }

  #fill(used, limit) {
    const cells = this.#cells;
    cells.setAttribute("aria-valuemax", limit);
    cells.setAttribute("aria-valuenow", used);
    cells.setAttribute("aria-valuetext", `${used} of ${limit}`);
    const count = Math.min(limit, MOST_CELLS);
    while (cells.childElementCount > count) cells.lastElementChild.remove();
    while (cells.childElementCount < count) {
      const cell = document.createElement("span");
      cell.className = "window";
      cells.append(cell);
    }
    const lit = Math.ceil((used / limit) * count);
    [...cells.children].forEach((cell, index) => cell.toggleAttribute("data-lit", index < lit));
  }

  /** Marks the end of a fixed window. */
  #markEdge(reset, window) {
    const edge = Date.now() + reset - window;
    if (Math.abs(edge - this.#edge) < window / 2) return;
    this.#edge = edge;
    this.#strip.mark("edge", { age: Date.now() - edge });
  }
}

function reading(used, answer) {
  const state = `${used} of ${answer.limit} used`;
  if (answer.retry_after_ms > 0) return `${state}, the next one in ${seconds(answer.retry_after_ms)}`;
  return used > 0 ? `${state}, more in ${seconds(answer.reset_ms)}` : `${state}`;
}

function seconds(millis) {
  return `${(millis / 1_000).toFixed(1)} s`;
}
