/** Shows what the supervisor says of the playground, twice a second, and passes on what is pressed. */
const EVERY_MS = 500;
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(navigator.language);

/** A line of a box: text only, never markup. */
function line(box, text, className = "") {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  paragraph.className = className;
  box.append(paragraph);
}

function fill(id, title, lines) {
  const box = byId(id);
  const heading = document.createElement("h3");
  heading.textContent = title;
  box.replaceChildren(heading);
  for (const [text, className] of lines) line(box, text, className);
}

function showNode(node) {
  fill(node.name, node.name, [
    [`${node.shape} ${node.word}`, `state ${node.tone}`],
    [node.serves ? "serves the address" : "does not serve", node.serves ? "good" : ""],
    [node.replication, ""],
  ]);
}

function show(state) {
  byId("connection").textContent = "";
  byId("acknowledged").textContent = number.format(state.orders.acknowledged);
  byId("found").textContent = state.orders.found === null ? "–" : number.format(state.orders.found);
  byId("found").className = state.orders.lost > 0 ? "bad" : "good";
  byId("flow").textContent = state.orders.text;
  byId("flow").className = state.orders.isServed ? "good" : "bad";
  byId("why").textContent = state.why;
  for (const node of state.nodes) showNode(node);
  fill("link", state.link.isCut ? "✕" : "⟷", [
    [state.link.isCut ? "cut" : "link", state.link.isCut ? "bad" : "good"],
  ]);
  fill("control", "control plane", [
    [
      state.control.isUp ? "up" : "away: the service goes on without it",
      state.control.isUp ? "good" : "warning",
    ],
    [state.control.text, ""],
  ]);
  showButtons(state.actions);
  if (state.timeline.length > 0) {
    byId("timeline").replaceChildren(
      ...state.timeline.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }),
    );
  }
  byId("console").hidden = state.consoleUrl === null;
  if (state.consoleUrl !== null) byId("console").href = state.consoleUrl;
}

/** Buttons are made once and then only changed, so that focus and clicks are never lost. */
function showButtons(actions) {
  const box = byId("buttons");
  for (const action of actions) {
    let button = box.querySelector(`[data-action="${action.id}"]`);
    if (button === null) {
      button = document.createElement("button");
      button.dataset.action = action.id;
      button.addEventListener("click", () => act(button.dataset.action));
      box.append(button);
    }
    button.textContent = action.text;
    button.disabled = !action.isPossible;
  }
}

async function act(id) {
  byId("said").textContent = "…";
  try {
    const answer = await fetch("/actions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id }),
    });
    byId("said").textContent = (await answer.json()).text;
  } catch {
    byId("said").textContent = "the playground does not answer; is it still running?";
  }
}

async function look() {
  try {
    const answer = await fetch("/state");
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    show(await answer.json());
  } catch {
    byId("connection").textContent = "the playground does not answer";
  }
  setTimeout(look, EVERY_MS);
}
void look();
