/** Shows what the supervisor says of the playground, twice a second, and passes on what is pressed. */
const EVERY_MS = 500;
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat(navigator.language);

/** Changes a text only where it differs: what is selected or read out stays. */
function say(id, text, className) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  if (className !== undefined) element.className = className;
}

/** The lines of a box, as text, never as markup; left alone while they are what they were. */
function fill(id, title, lines) {
  const box = byId(id);
  const key = JSON.stringify([title, lines]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const heading = document.createElement("h2");
  heading.textContent = title;
  const paragraphs = lines.map(([text, className]) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    paragraph.className = className;
    return paragraph;
  });
  box.replaceChildren(heading, ...paragraphs);
}

function showNode(node) {
  fill(node.name, node.name, [
    [`${node.shape} ${node.word}`, `state ${node.tone}`],
    [node.serves ? "serves the address" : "does not serve", node.serves ? "good" : ""],
    [node.replication, ""],
  ]);
}

function showLoad({ load, answer, module, address }) {
  byId("counts").hidden = load === null;
  if (load === null) {
    const text = answer === null ? "starting" : answer.text;
    say("flow", `${module} at ${address}: ${text}`, answer?.isServed ? "good" : "bad");
    say("unknown", "The playground does not know what it keeps, so nothing is counted.");
    return;
  }
  say("noun", load.noun);
  say("acknowledged", number.format(load.acknowledged));
  say("found", load.found === null ? "–" : number.format(load.found));
  byId("lost").hidden = load.lost === 0;
  say("lost", load.lost === 0 ? "" : `${number.format(load.lost)} lost`);
  say("flow", `${load.text}, through ${address}`, load.isServed ? "good" : "bad");
  const unknown = `${number.format(load.unknown)} got no answer: nobody knows whether they are there`;
  say("unknown", load.unknown === 0 ? "" : unknown);
}

function show(state) {
  say("connection", "");
  showLoad(state);
  say("why", state.why);
  for (const node of state.nodes) showNode(node);
  fill("link", state.link.isCut ? "✕" : "⟷", [
    [state.link.isCut ? "link cut" : "link", state.link.isCut ? "bad" : "good"],
  ]);
  fill("control", "control plane", [
    [
      state.control.isUp ? "● up" : "○ away: the service goes on without it",
      `state ${state.control.isUp ? "good" : "warning"}`,
    ],
    [state.control.text, ""],
  ]);
  showButtons(state.actions);
  showFailover(state.failover);
  byId("console").hidden = state.consoleUrl === null;
  if (state.consoleUrl !== null) byId("console").href = state.consoleUrl;
}

function showFailover(failover) {
  if (failover === null) return;
  say("failover", failover.title);
  const table = byId("timeline");
  const key = JSON.stringify(failover);
  if (table.dataset.key === key) return;
  table.dataset.key = key;
  table.hidden = false;
  const cell = (text) => {
    const made = document.createElement("td");
    made.textContent = text;
    return made;
  };
  const rows = failover.marks.map((mark) => {
    const row = document.createElement("tr");
    row.append(cell(mark.at), cell(mark.node), cell(mark.text));
    return row;
  });
  byId("marks").replaceChildren(...rows);
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
    if (button.textContent !== action.text) button.textContent = action.text;
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
    say("connection", "The playground does not answer: what is shown is old.");
  }
  setTimeout(look, EVERY_MS);
}
void look();
