/** Asks before it is done: what happens, what may be lost, and the same as a command. */
import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import Modal from "@cloudscape-design/components/modal";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useState } from "react";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { type ApiProblem, describeProblem } from "../api/client.ts";
import { type ActionAsk, type ActionPlan, commandLine } from "./action-plan.ts";
import { DURATIONS } from "./maintenance-plan.ts";

export interface ActionDialogProps {
  readonly ask: ActionAsk;
  readonly plan: ActionPlan;
  readonly module: ModuleView;
  readonly isSending: boolean;
  readonly problem: ApiProblem | null;
  readonly onSend: (dataFrom: string | null, forMs: number | null) => void;
  readonly onClose: () => void;
}

/** What the choice means that both directories are empty. */
const EMPTY = "";

const DEFAULT_DURATION = "3600000";

/** One dialog for every action; how much it asks is the plan's. */
export function ActionDialog(props: ActionDialogProps) {
  const { ask, plan, module, isSending, problem, onSend, onClose } = props;
  const [typed, setTyped] = useState("");
  const [choice, setChoice] = useState<string | null>(null);
  const [duration, setDuration] = useState<string>(DEFAULT_DURATION);
  const dataFrom = choice === EMPTY ? null : choice;
  const forMs = plan.level === "duration" ? Number(duration) : null;
  const isAnswered =
    (plan.level !== "typed" || typed === ask.moduleId) &&
    (plan.level !== "choice" || choice !== null);
  const send = () => {
    if (isAnswered && plan.blocked === null && !isSending) onSend(dataFrom, forMs);
  };
  return (
    <Modal
      visible
      onDismiss={onClose}
      closeAriaLabel="Close"
      header={plan.title}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onClose}>
              Cancel
            </Button>
            <Button
              variant="primary"
              loading={isSending}
              loadingText="Asking the control plane"
              disabled={!isAnswered || plan.blocked !== null}
              onClick={send}
            >
              {plan.button}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {plan.blocked !== null && (
          <Alert type="warning" header="This is pointless now">
            {plan.blocked}
          </Alert>
        )}
        {plan.loss.length > 0 && (
          <Alert type="error" header="Acknowledged writes may be lost">
            {plan.loss.map((text) => (
              <div key={text}>{text}</div>
            ))}
          </Alert>
        )}
        <div className="any-text">
          {plan.sentences.map((text) => (
            <Box key={text} variant="p">
              {text}
            </Box>
          ))}
        </div>
        <Checks checks={plan.checks} />
        {plan.level === "choice" && (
          <FormField label="Whose data is the good one?">
            <RadioGroup
              value={choice}
              onChange={({ detail }) => setChoice(detail.value)}
              items={[
                ...module.configuration.nodes.map((node) => ({
                  value: node,
                  label: `The data on ${node}`,
                })),
                { value: EMPTY, label: "There is none yet: all directories are empty" },
              ]}
            />
          </FormField>
        )}
        {plan.level === "duration" && (
          <FormField label="How long?">
            <RadioGroup
              value={duration}
              onChange={({ detail }) => setDuration(detail.value)}
              items={DURATIONS.map(({ ms, text }) => ({ value: `${ms}`, label: text }))}
            />
          </FormField>
        )}
        {plan.level === "typed" && (
          <FormField label={`Type ${ask.moduleId} to go on`}>
            <Input
              value={typed}
              autoComplete={false}
              spellcheck={false}
              onChange={({ detail }) => setTyped(detail.value)}
              onKeyDown={({ detail }) => {
                if (detail.key === "Enter") send();
              }}
            />
          </FormField>
        )}
        {problem !== null && (
          <Alert type="error" header="The control plane said no">
            {describeProblem(problem)}
            {problem.kind === "refused" && problem.remedy !== "" && <div>{problem.remedy}</div>}
            {problem.kind === "refused" && <Box variant="small">Request {problem.requestId}</Box>}
          </Alert>
        )}
        <CopyToClipboard
          variant="inline"
          textToCopy={commandLine(ask, dataFrom, forMs)}
          textToDisplay={<Box variant="code">{commandLine(ask, dataFrom, forMs)}</Box>}
          copyButtonAriaLabel="Copy as command"
          copySuccessText="Copied"
          copyErrorText="The browser did not allow it"
        />
      </SpaceBetween>
    </Modal>
  );
}

function Checks({ checks }: Pick<ActionPlan, "checks">) {
  if (checks.length === 0) return null;
  return (
    <div>
      {checks.map(({ text, isMet }) => (
        <div key={text}>
          <StatusIndicator type={isMet ? "success" : "error"}>{text}</StatusIndicator>
        </div>
      ))}
    </div>
  );
}
