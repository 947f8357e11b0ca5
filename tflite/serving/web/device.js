// The names of this device and its browser, as far as the browser tells.

const BROWSERS = [
  ["Edge", /Edg(?:A|iOS)?\/([\d.]+)/],
  ["Samsung Internet", /SamsungBrowser\/([\d.]+)/],
  ["Firefox", /(?:Firefox|FxiOS)\/([\d.]+)/],
  ["Chrome", /(?:Chrome|CriOS)\/([\d.]+)/],
  ["Safari", /Version\/([\d.]+).*Safari/],
];

export async function device() {
  const agent = navigator.userAgent;
  const [name, pattern] = BROWSERS.find(([, each]) => each.test(agent)) ?? ["a browser", /()/];
  const browser = `${name} ${agent.match(pattern)?.[1] ?? ""}`.trim();
  const system =
    agent.match(/Android [\d.]+/)?.[0] ??
    agent.match(/(?:iPhone|CPU) OS ([\d_]+)/)?.[0].replace("CPU OS", "iPadOS").replaceAll("_", ".") ??
    navigator.platform;
  try {
    const told = await navigator.userAgentData.getHighEntropyValues(["model", "platformVersion"]);
    return { browser, model: told.model ?? "", system: `${told.platform} ${told.platformVersion}`.trim() };
  } catch {
    return { browser, model: "", system };
  }
}
