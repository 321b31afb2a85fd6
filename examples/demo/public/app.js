// Each panel talks to one object over plain HTTP and asks again every second, so that two windows agree.

async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const value = text === "" ? null : JSON.parse(text);
  if (!response.ok) throw new Error(value?.error?.message ?? `status ${response.status}`);
  return value;
}

const panel = (name) => document.querySelector(`[data-panel="${name}"]`);

/** Runs `work` and shows what went wrong, if anything did, in the panel's own status line. */
async function attempt(section, work) {
  const note = section.querySelector(".note");
  try {
    await work();
    note.textContent = "";
  } catch (error) {
    note.textContent = error.message;
  }
}

/** Keeps a panel fresh while somebody looks at it. */
function keepFresh(section, refresh) {
  const tick = () => document.hidden || attempt(section, refresh);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
  tick();
}

function counter() {
  const section = panel("counter");
  const name = section.querySelector("[name=name]");
  const figure = section.querySelector(".figure");
  const path = () => `/counters/${encodeURIComponent(name.value)}`;
  const refresh = async () => {
    if (name.value === "") return;
    figure.textContent = await ask("GET", path());
  };
  for (const button of section.querySelectorAll("[data-by]")) {
    button.addEventListener("click", () =>
      attempt(section, async () => {
        figure.textContent = await ask("POST", `${path()}/increment`, { by: Number(button.dataset.by) });
      }),
    );
  }
  name.addEventListener("input", () => attempt(section, refresh));
  keepFresh(section, refresh);
}

function scratch() {
  const section = panel("scratch");
  const figure = section.querySelector(".figure");
  const shown = section.querySelector(".id");
  const add = section.querySelector("[data-by]");
  let id = null;
  section.querySelector("[data-create]").addEventListener("click", () =>
    attempt(section, async () => {
      ({ id } = await ask("POST", "/scratch"));
      shown.textContent = id;
      figure.textContent = await ask("GET", `/scratch/${id}`);
      add.disabled = false;
    }),
  );
  add.addEventListener("click", () =>
    attempt(section, async () => {
      figure.textContent = await ask("POST", `/scratch/${id}/increment`, { by: 1 });
    }),
  );
}

function task() {
  const section = panel("task");
  const name = section.querySelector("[name=name]");
  const every = section.querySelector("[name=every]");
  const path = () => `/tasks/${encodeURIComponent(name.value)}`;
  const time = (millis) => (millis === null ? "–" : new Date(millis).toLocaleTimeString());
  const refresh = async () => {
    if (name.value === "") return;
    const status = await ask("GET", path());
    section.querySelector("[data-field=runs]").textContent = status.runs;
    section.querySelector("[data-field=last_run]").textContent = time(status.last_run);
    section.querySelector("[data-field=next_run]").textContent = time(status.next_run);
  };
  const actions = {
    start: () => ask("POST", `${path()}/start`, { every_ms: Number(every.value) }),
    stop: () => ask("POST", `${path()}/stop`),
  };
  for (const button of section.querySelectorAll("[data-action]")) {
    button.addEventListener("click", () =>
      attempt(section, async () => {
        await actions[button.dataset.action]();
        await refresh();
      }),
    );
  }
  name.addEventListener("input", () => attempt(section, refresh));
  keepFresh(section, refresh);
}

counter();
scratch();
task();
