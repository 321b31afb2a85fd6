// A scheduled task, which its alarm runs even while no page is open.

import { path } from "../http.js";
import { Panel, announce } from "./panel.js";
import { Strip } from "./strip.js";

/** The greatest number of marks for runs between two refreshes. */
const MOST_MARKS = 30;

export function startTask() {
  new TaskPanel("task").keepFresh();
}

class TaskPanel extends Panel {
  #strip = new Strip(this.find(".strip"));
  #runs = null;

  constructor(id) {
    super(id);
    this.#strip.span = 30_000;
    this.find("[data-action=start]").addEventListener("click", () => this.attempt(() => this.#start()));
    this.find("[data-action=stop]").addEventListener("click", () => this.attempt(() => this.#stop()));
  }

  get path() {
    return path("tasks", this.name);
  }

  renamed() {
    this.#runs = null;
    this.#strip.clear();
  }

  async refresh() {
    const asked = this.path;
    const status = await this.look(asked);
    if (asked !== this.path) return 0;
    this.#show(status);
    return status.running ? 400 : 1_000;
  }

  async #start() {
    const cron = this.find("[name=cron]").value.trim();
    const every = this.find("[name=every]");
    if (cron === "" && !every.checkValidity()) throw new Error("The interval is 0.1 to 86,400 seconds.");
    const schedule = cron === "" ? { every_ms: Math.round(Number(every.value) * 1_000) } : { cron };
    await this.call("POST", `${this.path}/start`, schedule);
    announce("Started.");
  }

  async #stop() {
    await this.call("POST", `${this.path}/stop`);
    announce("Stopped.");
  }

  #show({ running, runs, last_run: last, next_run: next }) {
    this.lit = running;
    this.field("runs").textContent = runs.toLocaleString();
    this.field("reading").textContent = reading(running, last, next);
    if (this.#runs !== null && runs > this.#runs) this.#mark(runs - this.#runs, last, next);
    this.#runs = runs;
  }

  /** Marks the latest run at its time, and those before it at equal distances. */
  #mark(runs, last, next) {
    const distance = next === null ? 0 : Math.max(0, next - last);
    for (let back = Math.min(runs, MOST_MARKS) - 1; back >= 0; back -= 1) {
      this.#strip.mark("run", { age: Math.max(0, Date.now() - last + back * distance) });
    }
  }
}

function reading(running, last, next) {
  const lastly = last === null ? "It has not run yet" : `Last at ${new Date(last).toLocaleTimeString()}`;
  if (!running || next === null) return `${lastly}. It is stopped.`;
  const away = Math.max(0, next - Date.now());
  return `${lastly}, next in ${away < 60_000 ? `${(away / 1_000).toFixed(1)} s` : `${Math.round(away / 60_000)} min`}.`;
}
