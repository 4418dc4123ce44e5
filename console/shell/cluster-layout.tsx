/** Every page of a cluster: its feed, its actions, its flash bar, and the frame around them. */
import Alert from "@cloudscape-design/components/alert";
import Flashbar, { type FlashbarProps } from "@cloudscape-design/components/flashbar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import { type ReactNode, Suspense, useState } from "react";
import { Outlet, useParams } from "react-router";
import { ActionProvider, useActions } from "../actions/action-provider.tsx";
import { operationItems } from "../actions/operation-items.ts";
import { describeProblem } from "../api/client.ts";
import { clockText } from "../view/format.ts";
import { Announcer } from "./announcer.tsx";
import { ClusterProvider, useCluster } from "./cluster-context.tsx";
import { type Crumb, Frame } from "./frame.tsx";
import { modulePage } from "./paths.ts";

/** The route `/c/:cluster` and all below it. */
export function ClusterLayout() {
  const { cluster = "" } = useParams();
  return (
    <ClusterProvider key={cluster} clusterId={cluster}>
      <ActionProvider>
        <ClusterFrame />
      </ActionProvider>
    </ClusterProvider>
  );
}

function ClusterFrame() {
  const { clusterId, state, liveness } = useCluster();
  const { module } = useParams();
  const home = `/c/${clusterId}`;
  const modules = state?.modules ?? [];
  const crumbs: Crumb[] = [
    { text: "Clusters", href: "/" },
    { text: clusterId, href: home },
    ...(module === undefined ? [] : [{ text: module, href: modulePage(clusterId, module) }]),
  ];
  return (
    <Frame
      liveness={liveness}
      crumbs={crumbs}
      navigation={{
        title: { text: clusterId, href: home },
        items: [
          { text: "Overview", href: home },
          ...modules.map(({ id }) => ({ text: id, href: modulePage(clusterId, id) })),
          { text: "Nodes", href: `${home}/nodes` },
          { text: "Events", href: `${home}/events` },
        ],
      }}
      notifications={<Notifications />}
    >
      <Announcer modules={modules} />
      <SpaceBetween size="l">
        <StaleAlert />
        <Suspense fallback={<Spinner />}>
          <Outlet />
        </Suspense>
      </SpaceBetween>
    </Frame>
  );
}

function StaleAlert(): ReactNode {
  const { liveness, link } = useCluster();
  if (link.problem !== null && link.problem.kind !== "unreachable") {
    return (
      <Alert type="error" header="Nothing new can be shown">
        {describeProblem(link.problem)}
      </Alert>
    );
  }
  if (liveness.kind !== "stale" || liveness.asOfMs === null) return null;
  return (
    <Alert type="warning" header={`Nothing was heard since ${clockText(liveness.asOfMs)}`}>
      The control plane does not answer. What you see is how it was then; the service goes on while
      its nodes reach each other.
    </Alert>
  );
}

const FLASH_WORDS: FlashbarProps.I18nStrings = {
  ariaLabel: "Operations and problems",
  errorIconAriaLabel: "Error",
  inProgressIconAriaLabel: "In progress",
  successIconAriaLabel: "Success",
  infoIconAriaLabel: "Information",
  warningIconAriaLabel: "Warning",
};

function Notifications() {
  const { state, nowMs } = useCluster();
  const { problem, forgetProblem } = useActions();
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(new Set());
  const operations = operationItems(state?.operations ?? [], dismissed, nowMs);
  const items: FlashbarProps.MessageDefinition[] = operations.map((item) => ({
    id: item.id,
    type: item.type,
    loading: item.type === "in-progress",
    header: item.header,
    content: <span className="any-text">{item.content}</span>,
    dismissible: true,
    dismissLabel: "Put away",
    onDismiss: () => setDismissed((was) => new Set([...was, item.id])),
  }));
  if (problem !== null) {
    items.unshift({
      id: "problem",
      type: "error",
      header: "The control plane said no",
      content: `${describeProblem(problem)} ${problem.kind === "refused" ? problem.remedy : ""}`,
      dismissible: true,
      dismissLabel: "Put away",
      onDismiss: forgetProblem,
    });
  }
  return <Flashbar items={items} i18nStrings={FLASH_WORDS} />;
}
