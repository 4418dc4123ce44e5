/** The last failover: how long each part took, what happened when, and why. */
import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import type { FailoverPicture, FailoverSummary } from "#model/contract/failover.ts";
import { describeProblem } from "../../api/client.ts";
import { useCluster } from "../../shell/cluster-context.tsx";
import {
  drawFailover,
  failoverFigures,
  failoverName,
  isOrderUnsure,
} from "../../view/failover-drawing.ts";
import { momentText, offsetText } from "../../view/format.ts";
import { FailoverLanes } from "./failover-picture.tsx";
import { useFailover } from "./use-failover.ts";

/** Its own container: when it cannot be had, only this part says so. */
export function FailoverSection({ summary }: { readonly summary: FailoverSummary }) {
  const { clusterId } = useCluster();
  const { picture, problem, retry } = useFailover(clusterId, summary);
  return (
    <Container
      header={
        <Header
          variant="h2"
          description={`${momentText(summary.startedAtMs)}, epoch ${summary.epochBefore} to ${summary.epochAfter}`}
        >
          Last change of primary: {failoverName(summary)}
        </Header>
      }
    >
      {problem !== null && (
        <Alert type="warning" action={<Button onClick={retry}>Retry</Button>}>
          {describeProblem(problem)}
        </Alert>
      )}
      {picture === null && problem === null && <Spinner />}
      {picture !== null && <Picture picture={picture} />}
    </Container>
  );
}

function Picture({ picture }: { readonly picture: FailoverPicture }) {
  const { trigger, writesAtRisk } = picture;
  return (
    <SpaceBetween size="m">
      <ColumnLayout columns={4} variant="text-grid" minColumnWidth={120}>
        {failoverFigures(picture).map(({ label, text }) => (
          <div key={label} className="figures">
            <Box variant="awsui-key-label">{label}</Box>
            <Box variant="h3" tagOverride="div" padding="n">
              {text}
            </Box>
          </div>
        ))}
      </ColumnLayout>
      <FailoverLanes drawing={drawFailover(picture)} />
      <ol className="marks figures">
        {picture.marks.map((mark, index) => (
          <li key={`${mark.atMs}/${mark.kind}/${mark.text}`}>
            {isOrderUnsure(picture.marks[index - 1], mark) ? "≈ " : ""}
            {offsetText(mark.offsetMs)}
            {mark.offsetErrMs > 0 ? ` ± ${mark.offsetErrMs} ms` : ""} · {mark.node ?? "witness"}:{" "}
            {mark.text}
          </li>
        ))}
      </ol>
      <div className="any-text">
        <Box variant="p">
          Because: {trigger.reason}
          {trigger.resource === undefined ? "" : ` (${trigger.resource})`}.{" "}
          {writesAtRisk === 0
            ? "No acknowledged write was at risk."
            : "A person forced it: what may be lost is not known."}
        </Box>
      </div>
    </SpaceBetween>
  );
}
