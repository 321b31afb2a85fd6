// A lock that windows compete for. The lease's secret stays in this module.

import { path } from "../http.js";
import { colour, currentUser } from "../people.js";
import { Panel, announce } from "./panel.js";

const LEASE = 10_000;
const WAIT = 30_000;
/** How long a competing window keeps the lock: long enough to see, short enough to watch. */
const KEEP = 1_800;
const TENURES = 6;

export function startLock() {
  new LockPanel("lock").keepFresh();
}

class LockPanel extends Panel {
  /** What this window holds: the path it was acquired at, the lease, the token. */
  #held = null;
  /** Aborts the request that waits in the queue. */
  #waiting = null;
  #expiresAt = null;
  #tenures = [];

  constructor(id) {
    super(id);
    const actions = {
      take: () => this.#take(),
      renew: () => this.#renew(),
      release: () => this.#release(),
      cancel: () => this.#waiting?.abort(),
    };
    for (const button of this.section.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this.attempt(actions[button.dataset.action]));
    }
    this.#compete.addEventListener("change", () => this.#compete.checked && this.attempt(() => this.#competeOn()));
    this.#drain();
  }

  get path() {
    return path("locks", this.name);
  }

  get #compete() {
    return this.find("[name=compete]");
  }

  renamed() {
    this.#waiting?.abort();
    this.#tenures = [];
    this.#compete.checked = false;
  }

  async refresh() {
    const [asked, held] = [this.path, this.#held];
    const state = await this.look(asked);
    if (asked !== this.path) return 0;
    // Only of a lease that was there before the question can the answer say that it is over.
    if (held?.at === asked && held === this.#held && !(state.held && state.token === held.token)) this.#lose();
    this.#show(state);
    return state.held || state.waiting > 0 ? 250 : 1_000;
  }

  async #take() {
    const at = this.path;
    const controller = new AbortController();
    this.#waiting = controller;
    this.#showButtons();
    try {
      const lease = await this.call(
        "POST",
        `${at}/acquire`,
        { holder: currentUser(), ttl_ms: LEASE, wait_ms: WAIT },
        { signal: controller.signal },
      );
      this.#hold({ at, ...lease });
      announce(`You hold the lock, with token ${lease.token}.`);
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      announce("No longer waiting.");
    } finally {
      this.#waiting = null;
      this.#showButtons();
    }
  }

  async #renew() {
    const { at, lease } = this.#held;
    try {
      this.#hold({ at, ...(await this.call("POST", `${at}/renew`, { lease, ttl_ms: LEASE })) });
      announce("Renewed.");
    } catch (error) {
      this.#letGoIfLost(error);
      throw error;
    }
  }

  async #release() {
    const { at, lease } = this.#held;
    try {
      await this.call("POST", `${at}/release`, { lease });
      this.#hold(null);
      announce("Released.");
    } catch (error) {
      this.#letGoIfLost(error);
      throw error;
    }
  }

  /** Takes, keeps and releases in turn, until it is switched off. */
  async #competeOn() {
    try {
      while (this.#compete.checked) {
        if (this.#held === null) await this.#take();
        if (this.#held === null) continue;
        await new Promise((done) => setTimeout(done, KEEP));
        if (this.#held !== null) await this.#release();
      }
    } catch (error) {
      if (error.code === "held" || error.code === "lost") return this.#competeOn();
      this.#compete.checked = false;
      throw error;
    }
  }

  #hold(held) {
    this.#held = held;
    this.#expiresAt = held?.expires_at ?? null;
    this.#showButtons();
    this.refreshSoon();
  }

  #letGoIfLost(error) {
    if (error.code === "lost") this.#hold(null);
  }

  #lose() {
    this.#hold(null);
    announce("The lease has run out.");
  }

  #show({ held, holder, token, expires_at: expiresAt, waiting }) {
    this.lit = held;
    this.#expiresAt = held ? expiresAt : null;
    this.field("token").textContent = token ?? 0;
    this.field("state").replaceChildren(...(held ? this.#holder(holder) : ["Free"]));
    this.#showQueue(waiting);
    if (held) this.#remember(token, holder);
    this.#showButtons();
  }

  #holder(name) {
    const who = document.createElement("strong");
    who.textContent = name;
    colour(who, name);
    return this.#held === null ? ["Held by ", who] : ["Held by ", who, ", in this window"];
  }

  #showQueue(waiting) {
    const queue = this.field("queue");
    const text = waiting === 1 ? "1 waiting" : `${waiting} waiting`;
    if (queue.dataset.waiting === String(waiting)) return;
    queue.dataset.waiting = waiting;
    const panes = Array.from({ length: Math.min(waiting, 12) }, () => {
      const pane = document.createElement("span");
      pane.className = "window";
      return pane;
    });
    queue.replaceChildren(...(waiting > 0 ? [...panes, text] : []));
  }

  /** The latest holders, each under its token. */
  #remember(token, holder) {
    if (this.#tenures.at(-1)?.token === token) return;
    this.#tenures = [...this.#tenures, { token, holder }].slice(-TENURES);
    this.field("tenures").replaceChildren(
      ...this.#tenures.map((tenure) => {
        const item = document.createElement("li");
        colour(item, tenure.holder);
        const number = document.createElement("b");
        number.textContent = tenure.token;
        item.append(number, ` ${tenure.holder}`);
        return item;
      }),
    );
  }

  #showButtons() {
    const [holds, waits] = [this.#held !== null, this.#waiting !== null];
    const shown = { take: !holds && !waits, renew: holds, release: holds, cancel: waits && !holds };
    const focused = document.activeElement;
    for (const [action, isShown] of Object.entries(shown)) {
      this.find(`[data-action=${action}]`).hidden = !isShown;
    }
    // Whoever works by keyboard is not thrown to the top of the page when the button under them goes.
    if (this.section.contains(focused) && focused.matches("[data-action][hidden]")) {
      this.find("[data-action]:not([hidden])").focus();
    }
  }

  /** What is left of the lease, frame by frame. */
  #drain() {
    const bar = this.find(".lease span");
    const draw = () => {
      const left = this.#expiresAt === null ? 0 : Math.max(0, this.#expiresAt - Date.now());
      bar.style.width = `${Math.min(100, (left / LEASE) * 100)}%`;
      requestAnimationFrame(draw);
    };
    draw();
  }
}
