/**
 * What keeps other web pages and other names away from the people's listener. A page elsewhere can
 * make a browser send requests here (cross-site request forgery) or point its own name at this
 * address (DNS rebinding); the browser then tells on it in Host, Origin and Sec-Fetch-Site
 * (https://www.w3.org/TR/fetch-metadata/).
 */
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import type { IncomingCall } from "./app.ts";

/** Sent with every answer. No inline script or style: the console needs none. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'self'",
    "style-src 'self'",
    "font-src 'self' data:",
    "img-src 'self' data:",
    "connect-src 'self'",
    "object-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
};

/** `hosts` are the only names (with port) this listener answers to. */
export function browserGuard(
  hosts: () => ReadonlySet<string>,
): (call: Omit<IncomingCall, "body">) => ApiFailure | null {
  return ({ method, path, header }) => {
    const host = header("host")?.toLowerCase() ?? "";
    if (!hosts().has(host)) {
      return failure("hostRefused", "this name is not one of ours", "use the URL that was printed");
    }
    const origin = header("origin");
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      return failure("originRefused", "another page may not call this");
    }
    const site = header("sec-fetch-site");
    const isOurs = site === undefined || site === "same-origin" || site === "none";
    // A link from elsewhere may open the console itself; the strict cookie does not travel with it.
    const isPage = method === "GET" && !path.startsWith("/v1/");
    if (!isOurs && !isPage) return failure("originRefused", "another page may not call this");
    return null;
  };
}
