// The pixels of a photo in the size that a file takes.

/** Bytes of the photo, the channels of a pixel beside each other; the canvas shows them. */
export async function pixels(file, [, height, width, channels], canvas) {
  const picture = await createImageBitmap(file);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  // What is transparent is white.
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  const { data } = context.getImageData(0, 0, width, height);
  const found = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i += 1) {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 3) found.set([red, green, blue], 3 * i);
    else found[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue); // ITU-R BT.601, as Pillow
  }
  return found;
}
