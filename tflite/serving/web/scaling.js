// From pixels to the numbers of a file's input, and from those of its output to real numbers.

/** Round to the nearest integer, halves to the even one, as NumPy and the interpreter's quantization do. */
export function roundHalfToEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

const ARRAYS = {
  float32: [Float32Array, -Infinity, Infinity],
  int32: [Int32Array, -(2 ** 31), 2 ** 31 - 1],
  uint8: [Uint8Array, 0, 255],
};

/** What goes into the file for the pixels of one image: bytes, the channels of a pixel beside each other. */
export function toInput(pixels, { input, mean, std }) {
  const [ArrayType, lowest, highest] = ARRAYS[input.dtype];
  const numbers = new ArrayType(pixels.length);
  const channels = mean.length;
  for (let i = 0; i < pixels.length; i += 1) {
    const real = Math.fround((pixels[i] - mean[i % channels]) / std[i % channels]);
    numbers[i] =
      input.dtype === "float32"
        ? real
        : Math.min(highest, Math.max(lowest, roundHalfToEven(real / (input.scale ?? 1)) + (input.zero_point ?? 0)));
  }
  return numbers;
}

/** Real numbers of an output. */
export function toReal(numbers, { output }) {
  if (output.scale === null) return Float32Array.from(numbers);
  const scale = Math.fround(output.scale);
  return Float32Array.from(numbers, (each) => (each - output.zero_point) * scale);
}

/** The place of the largest number; the first of several, and −1 where one is not a number. */
export function largest(numbers) {
  let best = 0;
  for (let i = 0; i < numbers.length; i += 1) {
    if (Number.isNaN(numbers[i])) return -1;
    if (numbers[i] > numbers[best]) best = i;
  }
  return best;
}
