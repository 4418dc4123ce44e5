import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Spinner from "@cloudscape-design/components/spinner";
import { type ApiProblem, describeProblem } from "../api/client.ts";

/** What stands in the way of any page at all. */
export function FullPageNotice({ problem }: { readonly problem: ApiProblem | null }) {
  return (
    <main>
      <Box padding="xxl" margin="l">
        <h1>Mirrorfarm</h1>
        {problem === null ? (
          <Box>
            <Spinner /> Connecting to the control plane…
          </Box>
        ) : (
          <Alert
            type={problem.kind === "unreachable" ? "warning" : "error"}
            header={TITLE[problem.kind]}
          >
            {describeProblem(problem)}{" "}
            {problem.kind === "unreachable" ? "Trying again every two seconds." : ""}
          </Alert>
        )}
      </Box>
    </main>
  );
}

const TITLE = {
  unreachable: "Not connected",
  signedOut: "Not signed in",
  refused: "Not allowed",
  malformed: "Not understood",
} as const;
