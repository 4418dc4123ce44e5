/** Routes. Pages are loaded when they are first looked at. */
import Spinner from "@cloudscape-design/components/spinner";
import { lazy, Suspense } from "react";
import { BrowserRouter, Route, Routes } from "react-router";
import { ClustersPage } from "../pages/clusters/clusters-page.tsx";
import { NotFoundPage } from "../pages/not-found/not-found-page.tsx";
import { ClusterLayout } from "./cluster-layout.tsx";
import { FullPageNotice } from "./full-page-notice.tsx";
import { SessionGate } from "./session.tsx";

const OverviewPage = lazy(async () => ({
  default: (await import("../pages/overview/overview-page.tsx")).OverviewPage,
}));
const ModulePage = lazy(async () => ({
  default: (await import("../pages/module/module-page.tsx")).ModulePage,
}));
const EventsPage = lazy(async () => ({
  default: (await import("../pages/events/events-page.tsx")).EventsPage,
}));
const NodesPage = lazy(async () => ({
  default: (await import("../pages/nodes/nodes-page.tsx")).NodesPage,
}));

/** The whole console. */
export function App() {
  return (
    <BrowserRouter>
      <SessionGate waiting={(problem) => <FullPageNotice problem={problem} />}>
        <Suspense fallback={<Spinner />}>
          <Routes>
            <Route path="/" element={<ClustersPage />} />
            <Route path="/c/:cluster" element={<ClusterLayout />}>
              <Route index element={<OverviewPage />} />
              <Route path="modules/:module" element={<ModulePage />} />
              <Route path="events" element={<EventsPage />} />
              <Route path="nodes" element={<NodesPage />} />
              <Route path="*" element={<NotFoundPage />} />
            </Route>
            <Route
              path="*"
              element={
                <main>
                  <NotFoundPage />
                </main>
              }
            />
          </Routes>
        </Suspense>
      </SessionGate>
    </BrowserRouter>
  );
}
