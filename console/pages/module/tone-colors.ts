/** Colours of pictures: the components' own tokens, so that both themes are theirs. */
import * as token from "@cloudscape-design/design-tokens";
import type { Tone } from "#model/states/node-state.ts";
import type { FailoverTone } from "../../view/failover-drawing.ts";

export const INK = token.colorTextBodyDefault;
export const QUIET_INK = token.colorTextBodySecondary;
export const PAPER = token.colorBackgroundContainerContent;
export const LINE = token.colorBorderControlDefault;
export const FAINT_LINE = token.colorBorderDividerDefault;
export const ACCENT = token.colorTextStatusInfo;

/** Text of a tone on {@link PAPER}. */
export const INK_OF_TONE: Readonly<Record<Tone, string>> = {
  success: token.colorTextStatusSuccess,
  info: token.colorTextStatusInfo,
  warning: token.colorTextStatusWarning,
  error: token.colorTextStatusError,
  stopped: token.colorTextStatusInactive,
  pending: token.colorTextStatusInactive,
  progress: token.colorTextStatusInfo,
};

/** A filled bar: its ground, its edge, and text that can be read on it. */
export interface Fill {
  readonly ground: string;
  readonly edge: string;
  readonly ink: string;
}
export const FILL_OF_TONE: Readonly<Record<FailoverTone, Fill>> = {
  good: {
    ground: token.colorBackgroundStatusSuccess,
    edge: token.colorBorderStatusSuccess,
    ink: INK,
  },
  warning: {
    ground: token.colorBackgroundStatusWarning,
    edge: token.colorBorderStatusWarning,
    ink: INK,
  },
  bad: {
    ground: token.colorBackgroundStatusError,
    edge: token.colorBorderStatusError,
    ink: INK,
  },
  busy: { ground: token.colorBackgroundStatusInfo, edge: token.colorBorderStatusInfo, ink: INK },
  idle: { ground: PAPER, edge: LINE, ink: INK },
};
