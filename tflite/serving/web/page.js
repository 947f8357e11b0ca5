// The page: measures a file, compares its answers with those of the interpreter, classifies photos, sends results.

import { device } from "device";
import { answer, compile, engine, run, tensor } from "engine";
import { measure, percentile } from "measure";
import { pixels } from "photo";
import { largest, toInput, toReal } from "scaling";
import { alone, read, readJson } from "source";

const at = (id) => document.getElementById(id);
const show = (id, text) => {
  at(id).textContent = text;
  at(id).hidden = text === "";
};
const told = (error) => (error instanceof Error ? error.message : String(error));
let models = [];
let chosen = 0;
let compiled = null;
let results = null;
// One thing after the other: a photo that is taken while the page measures waits, and disturbs no time.
let last = Promise.resolve();
const inTurn = (work) => (last = last.then(work));

function number(value) {
  return value === 0 ? "0" : value.toPrecision(3);
}

/** Show a file; what was measured of another one is gone. */
function choose(place) {
  chosen = place;
  compiled?.model.delete();
  compiled = results = null;
  const model = models[place];
  show("name", model.name);
  const [, height, width, channels] = model.input.shape;
  const kind = channels === 3 ? "colour" : "grey";
  show("about", `${(model.bytes / 1024).toFixed(0)} KiB, ${model.labels.length} classes, ${width}×${height} ${kind}`);
  show("copy", model.changes.length ? `This is a copy for browsers: ${model.changes.join("; ")}.` : "");
  for (const id of ["state", "sent", "agreement", "threads", "photo-state"]) show(id, "");
  for (const id of ["times", "sending", "seen"]) at(id).hidden = true;
  at("classes").replaceChildren();
}

async function ready(threads = 1) {
  const model = models[chosen];
  if (compiled?.threads !== threads) {
    const content = await read(model.files.model);
    compiled?.model.delete();
    compiled = null;
    compiled = { ...(await compile(content, threads)), threads };
  }
  return { model, ...compiled };
}

async function images(model) {
  const all = await read(model.files.images);
  const size = all.length / model.count;
  return Array.from({ length: model.count }, (_, i) => all.subarray(i * size, (i + 1) * size));
}

async function measureAll(model, first) {
  const { threads, threaded } = await engine();
  const found = [];
  for (const count of threads) {
    show("state", `Measuring with ${count} thread${count === 1 ? "" : "s"}`);
    const one = await ready(count);
    const input = tensor(toInput(first, model), model.input.shape);
    const times = await measure(
      () => run(one.model, input),
      (share) => { at("progress").value = share; },
    );
    input.delete();
    found.push({ threads: count, init_ms: one.init_ms, ...times });
  }
  const why = alone
    ? "A page in one file runs with one thread: distiller serve --https measures several."
    : self.crossOriginIsolated
      ? threaded ? "" : "This browser runs WebAssembly with one thread."
      : "Over plain HTTP a browser has one thread: distiller serve --https measures several.";
  show("threads", why);
  return found;
}

function showTimes(runs) {
  const rows = runs.map(({ threads, samples_ms, first_ms }) => {
    const row = document.createElement("tr");
    const cells = [threads, ...[percentile(samples_ms, 0.5), percentile(samples_ms, 0.9), first_ms].map(number)];
    cells.forEach((text, i) => {
      const cell = document.createElement(i === 0 ? "th" : "td");
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  });
  at("times").tBodies[0].replaceChildren(...rows);
  at("times").hidden = false;
}

/** The outputs for all images, one after the other in one array. */
async function answerAll(model, all) {
  const one = await ready((await engine()).threads.at(-1));
  const outputs = [];
  for (const [i, image] of all.entries()) {
    outputs.push(await answer(one.model, toInput(image, model), model.input.shape));
    if (i % 20 === 0) {
      at("progress").value = i / all.length;
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  const joined = new outputs[0].constructor(outputs.length * model.labels.length);
  outputs.forEach((each, i) => joined.set(each, i * model.labels.length));
  return joined;
}

async function compare(model, joined) {
  const held = await read(model.files.answers);
  const expected = new Float32Array(held.buffer, held.byteOffset, held.byteLength / 4);
  const found = toReal(joined, model);
  const classes = model.labels.length;
  let same = 0;
  let right = 0;
  let most = 0;
  for (let i = 0; i < model.count; i += 1) {
    const guess = largest(found.subarray(i * classes, (i + 1) * classes));
    same += guess >= 0 && guess === largest(expected.subarray(i * classes, (i + 1) * classes));
    right += guess === model.truth?.[i];
  }
  found.forEach((value, i) => { most = Math.max(most, Math.abs(value - expected[i])); });
  const answers = `Answers ${same} of ${model.count} pictures as the interpreter on the computer does; `;
  const truth = model.truth ? ` Right on ${right} of ${model.count}.` : "";
  const outputs = most === 0 ? "every output is the same." : `an output differs by ${number(most)} at most.`;
  show("agreement", `${answers}${outputs}${truth}`);
  at("agreement").className = same === model.count ? "right" : "wrong";
}

function base64(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

async function runAll() {
  const model = models[chosen];
  at("run").disabled = at("model").disabled = true;
  at("progress").hidden = false;
  try {
    const all = await images(model);
    const runs = await measureAll(model, all[0]);
    showTimes(runs);
    show("state", "Answering the test pictures");
    const answers = await answerAll(model, all);
    await compare(model, answers);
    results = {
      model: chosen,
      digest: model.digest,
      build: (await engine()).build,
      runs,
      answers: base64(answers),
    };
    at("sending").hidden = alone;
    show("state", "Done");
  } catch (error) {
    show("state", `It did not work: ${told(error)}`);
  } finally {
    at("run").disabled = at("model").disabled = false;
    at("progress").hidden = true;
  }
}

async function send() {
  at("send").disabled = true;
  try {
    const body = JSON.stringify({ ...results, device: { name: at("phone").value, ...(await device()) } });
    const headers = { "Content-Type": "application/json" };
    const reply = await fetch("results", { method: "POST", headers, body });
    show("sent", reply.ok ? await reply.text() : `The server did not take them: ${await reply.text()}`);
  } catch (error) {
    show("sent", `The computer cannot be reached (${told(error)}). The results are kept here: try again.`);
  } finally {
    at("send").disabled = false;
  }
}

async function classify(file) {
  show("photo-state", "");
  try {
    const model = models[chosen];
    const taken = await pixels(file, model.input.shape, at("seen"));
    at("seen").hidden = false;
    const one = await ready();
    const scores = toReal(await answer(one.model, toInput(taken, model), model.input.shape), model);
    const best = [...scores.keys()].sort((i, j) => scores[j] - scores[i]).slice(0, 3);
    const lines = best.map((place) => {
      const line = document.createElement("li");
      const score = document.createElement("span");
      score.className = "score";
      score.textContent = ` ${number(scores[place])}`;
      line.append(model.labels[place], score);
      return line;
    });
    at("classes").replaceChildren(...lines);
  } catch (error) {
    show("photo-state", `This picture cannot be classified: ${told(error)}`);
  }
}

async function start() {
  try {
    models = (await readJson("description.json")).models;
    at("model").replaceChildren(...models.map((model, i) => new Option(model.name, i)));
    at("choice").hidden = models.length === 1;
    choose(0);
    await engine();
    at("run").disabled = false;
  } catch (error) {
    show("state", `LiteRT.js does not start in this browser: ${told(error)}`);
  }
}

at("model").addEventListener("change", ({ target }) => inTurn(() => choose(Number(target.value))));
at("run").addEventListener("click", () => inTurn(runAll));
at("send").addEventListener("click", send);
for (const id of ["camera", "photo"]) {
  at(id).addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) inTurn(() => classify(file));
    target.value = ""; // or the next photo of the same name, as cameras name them, would be no change
  });
}
start();
