// A stranger's bytes as text that can be looked at: as src/hub/sample_text.h does it.

const TURNS_OR_HIDES = /[\u0080-\u009f\u061c\ufeff\u200b-\u200f\u2028-\u202e\u2060-\u206f]/g;

export function readableText(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, '\u2421')
    .replace(TURNS_OR_HIDES, '\ufffd');
}

export const readableBytes = (bytes: Uint8Array): string =>
  readableText(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));

export const readable = (base64: string): string =>
  readableBytes(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
