/**
 * Runs inside the page. axe for the rules of WCAG 2.2 AA; and what axe does not look at: contrast
 * of text inside pictures, colours that fell back because a design token is unknown, and words
 * that only a program error writes.
 */
window.__checks = (() => {
  const ALL_RULES = {
    type: "tag",
    values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  };
  const COLOUR_RULES = { type: "rule", values: ["color-contrast", "link-in-text-block"] };
  const CONTRAST_MIN = 4.5;
  /**
   * Of the components, not ours: the empty elements that keep the focus inside a dialog, and the
   * narrow toolbar, which says its orientation on an element whose role has none.
   */
  const EXCLUDED = [["[data-focus-guard=true]"], ["[class*=awsui_mobile-toolbar-nav]"]];

  /** The components put tooltips beside all landmarks, where only their owner refers to them. */
  const isTooltip = (rule, node) =>
    rule.id === "region" && node.target.join(" ").includes("awsui_container-body");

  const channels = (color) => {
    const [r, g, b, a = 1] = (color.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return { r, g, b, a };
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };

  /** The colour behind an element that is not part of a picture. */
  const groundOf = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.a > 0.99) return color;
    }
    return { r: 255, g: 255, b: 255, a: 1 };
  };

  /** The shape that was painted last under the middle of a text, else what is behind the picture. */
  const groundOfText = (svg, text) => {
    const box = text.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    let ground = null;
    for (const shape of svg.querySelectorAll("rect, circle, text")) {
      if (shape === text) break;
      if (shape.tagName === "text") continue;
      const area = shape.getBoundingClientRect();
      const isUnder = x >= area.left && x <= area.right && y >= area.top && y <= area.bottom;
      const fill = getComputedStyle(shape).fill;
      if (isUnder && fill !== "none" && channels(fill).a > 0.99) ground = channels(fill);
    }
    return ground ?? groundOf(svg.parentElement);
  };

  const pictureProblems = () => {
    const problems = [];
    for (const svg of document.querySelectorAll("svg[role=img]")) {
      const frame = svg.getBoundingClientRect();
      for (const text of svg.querySelectorAll("text")) {
        const ratio = contrast(channels(getComputedStyle(text).fill), groundOfText(svg, text));
        if (ratio < CONTRAST_MIN) {
          problems.push(`picture: "${text.textContent}" has contrast ${ratio.toFixed(2)}`);
        }
        const box = text.getBoundingClientRect();
        if (box.left < frame.left - 1 || box.right > frame.right + 1) {
          problems.push(`picture: "${text.textContent}" is cut off`);
        }
      }
    }
    return problems;
  };

  const textProblems = () => {
    const found = /undefined|\[object Object\]|\bNaN\b|Invalid Date/.exec(
      document.body.textContent,
    );
    return found === null ? [] : [`the text says "${found[0]}"`];
  };

  const layoutProblems = () => {
    const excess = document.documentElement.scrollWidth - window.innerWidth;
    return excess > 1 ? [`the page is ${excess} px wider than the window`] : [];
  };

  return {
    /** `onlyColours`: what another theme can change. The rest was judged in the first one. */
    async problems(onlyColours) {
      const result = await axe.run(
        { exclude: EXCLUDED },
        { runOnly: onlyColours ? COLOUR_RULES : ALL_RULES, resultTypes: ["violations"] },
      );
      const violations = result.violations.flatMap((rule) =>
        rule.nodes
          .filter((node) => !isTooltip(rule, node))
          .map((node) => `${rule.id}: ${node.target.join(" ")} ${node.failureSummary}`),
      );
      return [...violations, ...pictureProblems(), ...textProblems(), ...layoutProblems()];
    },
  };
})();
