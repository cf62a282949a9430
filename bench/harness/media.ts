/** Media that the pretend Twilio keeps. */
import { twilioClient } from "../../local/twilio-client.ts";
import type { Medium } from "./webhook.ts";

const samples = new URL("../../examples/media/", import.meta.url);

/** Twilio's limit for a WhatsApp medium. */
export const LARGEST = 16 * 1024 * 1024;
/** What a phone sends: WhatsApp makes photos about as small. */
export const PHOTO = 200 * 1024;

/** Makes `count` media of so many bytes (a genuine video's or, when small, photo's, and zeros after it). */
export async function keepMedia(
  env: Record<string, string>,
  count: number,
  bytes: number,
): Promise<Medium[]> {
  const [name, type] = bytes > 1024 * 1024
    ? ["burst-pipe.mp4", "video/mp4"]
    : ["burst-pipe.jpg", "image/jpeg"];
  const sample = await Deno.readFile(new URL(name!, samples));
  const media: Medium[] = [];
  for (let kept = 0; kept < count; kept++) {
    const content = new Uint8Array(bytes);
    content.set(sample.subarray(0, bytes));
    const sent = await twilioClient(env.PRETEND_TWILIO_URL!).sendMessage({
      from: "whatsapp:+27821234567",
      to: "whatsapp:+27130000001",
      files: [{ name, type: type!, bytes: content }],
      options: { deliver: false },
    });
    media.push({ url: sent.media[0]!.url, contentType: type! });
  }
  return media;
}
