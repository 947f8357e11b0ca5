// LiteRT.js: loading it with threads or without, and running a file in it.

import { loadLiteRt, supportsFeature, Tensor } from "litert";
import { alone, read } from "source";

const MOST_THREADS = 4;
let loaded = null;

/** LiteRT.js, its build, and the numbers of threads that it can run with. */
export function engine() {
  loaded ??= load();
  return loaded;
}

async function load() {
  const fast = await supportsFeature("relaxedSimd");
  const threaded = fast && !alone && self.crossOriginIsolated && (await supportsFeature("threads"));
  const build = `litert_wasm_${threaded ? "threaded_" : fast ? "" : "compat_"}internal`;
  const cores = navigator.hardwareConcurrency || 1;
  const threads = threaded && cores > 1 ? [1, Math.min(MOST_THREADS, cores)] : [1];
  const path = alone ? await unpacked(build) : new URL("./", document.baseURI).href;
  return { litert: await loadLiteRt(path, { threads: threaded }), build, threads, threaded };
}

/** The address of a build that is held inside the page. */
async function unpacked(build) {
  const address = async (name, type) => URL.createObjectURL(new Blob([await read(name)], { type }));
  const wasm = await address(`${build}.wasm`, "application/wasm");
  self.Module = { locateFile: () => wasm };
  // LiteRT.js takes an address for a file's where it ends so.
  return `${await address(`${build}.js`, "text/javascript")}#.js`;
}

/** A file that is ready to run, and the milliseconds until it was. */
export async function compile(content, threads) {
  const { litert } = await engine();
  const start = performance.now();
  const model = await litert.loadAndCompile(content, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
  return { model, init_ms: performance.now() - start };
}

/** A tensor of one image. */
export function tensor(numbers, shape) {
  return new Tensor(numbers, shape);
}

/** Run once, and forget the outputs. */
export async function run(model, input) {
  for (const output of await model.run([input])) output.delete();
}

/** The output for one image, in its own type. */
export async function answer(model, numbers, shape) {
  const input = tensor(numbers, shape);
  try {
    const outputs = await model.run([input]);
    const found = outputs[0].toTypedArray().slice();
    for (const output of outputs) output.delete();
    return found;
  } finally {
    input.delete();
  }
}
