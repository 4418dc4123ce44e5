/** The help beside every page: what the words mean. The words come from where the states do. */
import Box from "@cloudscape-design/components/box";
import HelpPanel from "@cloudscape-design/components/help-panel";
import { HEALTHS } from "#model/states/module-health.ts";
import { STATE_LOOKS } from "#model/states/node-state.ts";

const HEALTH_HELP: Readonly<Record<(typeof HEALTHS)[number], string>> = {
  Protected: "The service is up, and another node can take over with all data.",
  Unprotected: "The service is up, but no other node could take over without loss.",
  Recovering: "The service is up, and another node is getting all data again.",
  "Failing over": "Another node is taking over; the service answers again soon.",
  Down: "No node serves, and none will by itself.",
  Stopped: "A person stopped it.",
  Unknown: "No report arrives, so nothing can be said.",
};

/** Words of health and of states. */
export function VocabularyHelp() {
  return (
    <HelpPanel header={<h2>What the words mean</h2>}>
      <h3>A module</h3>
      <dl>
        {HEALTHS.map((health) => (
          <Term key={health} term={health} text={HEALTH_HELP[health]} />
        ))}
      </dl>
      <h3>A module on a node</h3>
      <dl>
        {Object.values(STATE_LOOKS).map(({ word, shape, help }) => (
          <Term key={word} term={`${shape} ${word}`} text={help} />
        ))}
        <Term
          term="❄ fenced"
          text="No other voter confirms this node as primary, so it answers nothing."
        />
      </dl>
      <h3>The connection</h3>
      <p>
        Live: changes appear as they happen. Stale: nothing was heard from the control plane for a
        minute, so what you see is how it was then. The service goes on without the control plane
        while its nodes reach each other.
      </p>
      <h3>On the command line</h3>
      <Box variant="code">mirrorfarm status -w</Box>
    </HelpPanel>
  );
}

function Term({ term, text }: { readonly term: string; readonly text: string }) {
  return (
    <>
      <dt>{term}</dt>
      <dd>{text}</dd>
    </>
  );
}
