// The files of this page: asked of the server, or held inside the page where it was written as one file.

const held = document.getElementById("held");
const table = held ? JSON.parse(held.textContent) : null;

export const alone = table !== null;

/** The bytes of a file. */
export async function read(name) {
  if (alone) return unpack(table[name]);
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`The server answered ${answer.status} for ${name}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** A file as JSON. */
export async function readJson(name) {
  return JSON.parse(new TextDecoder().decode(await read(name)));
}

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
