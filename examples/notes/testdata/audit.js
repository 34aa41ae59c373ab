// What is wrong with how a page looks and is operated, as a list of sentences: contrast of
// text, of the edges of controls and of focus marks (WCAG 2.2, 1.4.3 and 1.4.11), what is
// wider than the screen, what is too small for a finger, and what has no name.
(() => {
  const found = new Set();
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (color, ground) => {
    const [a, b] = [luminance(over(rgba(color), ground)), luminance(ground)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const named = (element) => {
    const text = (element.textContent || element.value || "").trim().slice(0, 30);
    return `<${element.localName}${element.id ? "#" + element.id : ""}${element.className ? "." + element.className : ""}> ${text}`;
  };
  const demand = (ratio, least, what, element) => {
    if (ratio < least) found.add(`${what} has a contrast of ${ratio.toFixed(2)} and needs ${least}: ${named(element)}`);
  };
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1 && box.right > 0;
  };

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("option, meter, progress") || !shown(element)) continue;
    const style = getComputedStyle(element);
    demand(contrast(style.color, behind(element)), 4.5, "text", element);
    if (style.opacity !== "1") found.add("text is see-through: " + named(element));
  }

  const controls = [...document.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea, meter, progress")].filter(shown);
  for (const control of controls) {
    const style = getComputedStyle(control), outside = behind(control.parentElement);
    if (control.type !== "checkbox") { // which the browser draws
      demand(Math.max(contrast(style.borderTopColor, outside), contrast(style.backgroundColor, outside)), 3, "the edge of a control", control);
    }
    if (control.matches("input, textarea")) {
      demand(contrast(style.color, behind(control)), 4.5, "what is typed", control);
      demand(contrast(getComputedStyle(control, "::placeholder").color, behind(control)), 4.5, "a placeholder", control);
    }
    const name = control.labels?.length || control.ariaLabel || control.textContent.trim();
    if (!name) found.add("a control has no name: " + named(control));
  }

  const probe = document.createElement("span");
  document.body.append(probe);
  for (const fill of ["--good", "--warn", "--accent"]) {
    const colors = [fill, "--track"].map((name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    });
    demand(contrast(colors[0], rgba(colors[1]).slice(0, 3)), 3, "a bar in " + fill, probe);
  }
  probe.remove();

  const before = document.activeElement;
  const focusable = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(shown);
  for (const element of focusable) {
    element.focus({ focusVisible: true, preventScroll: true });
    if (document.activeElement !== element) {
      found.add("can't have the focus: " + named(element));
      continue;
    }
    const style = getComputedStyle(element);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) found.add("the focus does not show: " + named(element));
    demand(contrast(style.outlineColor, behind(element.parentElement)), 3, "the focus mark", element);
  }
  if (before && before !== document.body) before.focus({ preventScroll: true });
  else document.activeElement.blur();

  if (document.documentElement.scrollWidth > innerWidth) {
    for (const element of document.body.querySelectorAll("*")) {
      if (element.getBoundingClientRect().right > innerWidth + 1) found.add(`wider than ${innerWidth} pixels: ${named(element)}`);
    }
    found.add(`the page is ${document.documentElement.scrollWidth} pixels wide on ${innerWidth}`);
  }

  if (innerWidth <= 400) {
    for (const element of focusable) {
      const target = element.type === "checkbox" ? element.labels[0] : element;
      if (element.matches("pre") || getComputedStyle(target).display === "inline") continue; // a link in a sentence
      const { width, height } = target.getBoundingClientRect();
      if (height < 43.5 || width < 24) found.add(`${Math.round(width)} by ${Math.round(height)} pixels are too small for a finger: ${named(element)}`);
    }
  }

  const ids = new Set();
  for (const { id } of document.querySelectorAll("[id]")) {
    if (ids.has(id)) found.add("an id stands twice: " + id);
    ids.add(id);
  }
  if (document.querySelectorAll("h1").length !== 1) found.add("a page has one h1");
  return [...found];
})()
