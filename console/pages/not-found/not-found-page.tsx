import Box from "@cloudscape-design/components/box";
import { RouteLink } from "../../shell/route-link.tsx";
import { usePage } from "../../shell/use-page.ts";

/** For an address that leads nowhere. */
export function NotFoundPage() {
  usePage("Not found");
  return (
    <Box padding="l">
      <h1>There is no such page</h1>
      <Box variant="p">
        <RouteLink href="/">All clusters</RouteLink>
      </Box>
    </Box>
  );
}
