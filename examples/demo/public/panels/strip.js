// A timeline that ends now at the right. Marks move to the left.

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Strip {
  #element;
  #span = 10_000;

  constructor(element) {
    this.#element = element;
  }

  /** The time that the strip shows, in milliseconds. */
  set span(span) {
    if (span === this.#span) return;
    this.#span = span;
    this.clear();
  }

  get span() {
    return this.#span;
  }

  /** Adds a mark for an event `age` milliseconds ago. It dims `goesOut` milliseconds after the event. */
  mark(kind, { age = 0, goesOut = Infinity } = {}) {
    const mark = document.createElement("span");
    mark.className = `mark ${kind}`;
    this.#element.append(mark);
    // With reduced motion, marks move one step a second.
    const easing = still.matches ? `steps(${Math.max(1, Math.round(this.#span / 1_000))})` : "linear";
    const timing = { duration: this.#span, delay: -age, easing, fill: "both" };
    const drift = mark.animate([{ transform: "translateX(0)" }, { transform: "translateX(-100%)" }], timing);
    drift.finished.then(() => mark.remove(), () => {});
    if (goesOut < this.#span) {
      setTimeout(() => mark.classList.add("out"), Math.max(0, goesOut - age));
    }
  }

  clear() {
    for (const mark of this.#element.querySelectorAll(".mark")) {
      for (const animation of mark.getAnimations()) animation.cancel();
      mark.remove();
    }
  }
}
