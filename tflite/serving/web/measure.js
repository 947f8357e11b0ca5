// Latency: first run, warm-up, then many runs, as finely as the browser's clock can tell.

const SECONDS = 1.5;
const WARM_UP_MS = 300;
const MOST_SAMPLES = 1000;
// A time is worth something where it is so many steps of the clock.
const STEPS = 50;

/** The smallest step of the clock, in milliseconds: browsers blur it. */
export function resolution() {
  let smallest = Infinity;
  for (let i = 0; i < 5; i += 1) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    smallest = Math.min(smallest, now - start);
  }
  return smallest;
}

/** A percentile, interpolated between its neighbours as NumPy does. */
export function percentile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

/** Times of a function that runs a model once. */
export async function measure(once, progress) {
  const step = resolution();
  let start = performance.now();
  await once();
  const first_ms = performance.now() - start;
  let warmup_runs = 0;
  start = performance.now();
  while (performance.now() - start < WARM_UP_MS || warmup_runs < 3) {
    await once();
    warmup_runs += 1;
  }
  const typical = (performance.now() - start) / warmup_runs;
  const repeats = Math.max(1, Math.ceil((STEPS * step) / Math.max(typical, 1e-6)));
  const samples_ms = [];
  const began = performance.now();
  let shown = began;
  while (samples_ms.length < MOST_SAMPLES && (performance.now() - began < SECONDS * 1000 || samples_ms.length < 10)) {
    start = performance.now();
    for (let i = 0; i < repeats; i += 1) await once();
    samples_ms.push((performance.now() - start) / repeats);
    if (performance.now() - shown > 100) {
      progress(Math.min(1, (performance.now() - began) / (SECONDS * 1000)));
      await new Promise((resolve) => setTimeout(resolve));
      shown = performance.now();
    }
  }
  return { samples_ms, repeats, warmup_runs, first_ms, resolution_ms: step };
}
