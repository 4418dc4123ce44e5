/** The frame around every page. */
import AppLayout from "@cloudscape-design/components/app-layout";
import BreadcrumbGroup from "@cloudscape-design/components/breadcrumb-group";
import SideNavigation, {
  type SideNavigationProps,
} from "@cloudscape-design/components/side-navigation";
import TopNavigation, {
  type TopNavigationProps,
} from "@cloudscape-design/components/top-navigation";
import { type ReactNode, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import type { Liveness } from "../api/liveness.ts";
import { VocabularyHelp } from "./help.tsx";
import { useSession } from "./session.tsx";
import { chooseTheme, rememberedTheme } from "./theme.ts";

export interface Crumb {
  readonly text: string;
  readonly href: string;
}
export interface FrameProps {
  readonly children: ReactNode;
  /** Null where nothing is followed. */
  readonly liveness: Liveness | null;
  readonly navigation: { readonly title: Crumb; readonly items: readonly Crumb[] };
  readonly crumbs: readonly Crumb[];
  readonly notifications: ReactNode;
}

const LIVENESS_ICON = {
  connecting: "status-pending",
  live: "status-positive",
  polling: "status-info",
  reconnecting: "status-in-progress",
  stale: "status-warning",
} as const;

/** Top navigation, side navigation, flash bar, help, and the page itself. */
export function Frame({ children, liveness, navigation, crumbs, notifications }: FrameProps) {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [isHelpOpen, setIsHelpOpen] = useState(false);
  const follow = (event: CustomEvent<{ readonly href?: string }>) => {
    event.preventDefault();
    if (event.detail.href !== undefined) void navigate(event.detail.href);
  };
  const items: SideNavigationProps.Item[] = navigation.items.map(({ text, href }) => ({
    type: "link",
    text,
    href,
  }));
  return (
    <>
      <SkipLink />
      <div id="top">
        <TopBar liveness={liveness} onHelp={() => setIsHelpOpen(true)} />
      </div>
      <AppLayout
        headerSelector="#top"
        ariaLabels={LABELS}
        navigation={
          <SideNavigation
            header={navigation.title}
            activeHref={pathname}
            items={items}
            onFollow={follow}
          />
        }
        breadcrumbs={
          <BreadcrumbGroup ariaLabel="Where you are" items={[...crumbs]} onFollow={follow} />
        }
        notifications={notifications}
        toolsOpen={isHelpOpen}
        onToolsChange={({ detail }) => setIsHelpOpen(detail.open)}
        tools={<VocabularyHelp />}
        content={
          <div id="content" tabIndex={-1}>
            {children}
          </div>
        }
      />
    </>
  );
}

const LABELS = {
  navigation: "Pages",
  navigationClose: "Close the navigation",
  navigationToggle: "Open the navigation",
  notifications: "Operations and problems",
  tools: "Help",
  toolsClose: "Close the help",
  toolsToggle: "Open the help",
};

/** Passes the navigation by; for keyboards. */
function SkipLink() {
  return (
    <a className="skip-link" href="#content">
      Skip to content
    </a>
  );
}

function TopBar({
  liveness,
  onHelp,
}: {
  readonly liveness: Liveness | null;
  readonly onHelp: () => void;
}) {
  const navigate = useNavigate();
  const { me } = useSession();
  const [theme, setTheme] = useState(rememberedTheme);
  const other = theme === "dark" ? "light" : "dark";
  const connection: TopNavigationProps.Utility[] =
    liveness === null
      ? []
      : [
          {
            type: "button",
            text: liveness.text,
            ariaLabel: `Connection: ${liveness.text}. Open the help.`,
            iconName: LIVENESS_ICON[liveness.kind],
            disableUtilityCollapse: true,
            disableTextCollapse: true,
            onClick: onHelp,
          },
        ];
  return (
    <TopNavigation
      identity={{
        title: "Mirrorfarm",
        href: "/",
        onFollow: (event) => {
          event.preventDefault();
          void navigate("/");
        },
      }}
      utilities={[
        ...connection,
        {
          type: "button",
          text: other === "dark" ? "Dark" : "Light",
          ariaLabel: `Use ${other} colours`,
          onClick: () => {
            chooseTheme(other);
            setTheme(other);
          },
        },
        {
          type: "menu-dropdown",
          text: me.name,
          description: `Role: ${me.role}`,
          iconName: "user-profile",
          ariaLabel: `${me.name}, ${me.role}`,
          items: [{ id: "api", text: "API description", href: "/openapi.json", external: true }],
        },
      ]}
      i18nStrings={{ overflowMenuTriggerText: "More", overflowMenuTitleText: "All" }}
    />
  );
}
