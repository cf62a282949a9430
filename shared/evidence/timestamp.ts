/** RFC 3161 time stamps over HTTP. Loaded only where a stamp is asked for. */
import { SignedData } from "@peculiar/asn1-cms";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import { MessageImprint, PKIStatus, TimeStampReq, TimeStampResp, TSTInfo } from "@peculiar/asn1-tsp";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { encodeBase64 } from "deno-std/encoding/base64.js";
import { encodeHex } from "deno-std/encoding/hex.js";
import { inTime } from "../platform/in-time.ts";

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;
const SHA256 = "2.16.840.1.101.3.4.2.1";

/** A token and the time it states. */
export interface Stamp {
  /** TimeStampToken, DER, base64. */
  token: string;
  stampedAt: string;
}

/** Why an authority gave no stamp: a stable word, kept in the job's row. */
export class StampError extends Error {}

/**
 * Asks the authority to stamp the SHA-256 of the text. Whether its signature is good is for who relies on it to verify
 * (`openssl ts -verify`); here the token must be of this text and this request.
 */
export async function stamp(authority: string, text: string): Promise<Stamp> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const nonce = crypto.getRandomValues(new Uint8Array(8));
  nonce[0] = nonce[0]! & 0x3f | 0x40; // a positive integer that needs no padding
  const request = new TimeStampReq({
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithm: SHA256, parameters: null }),
      hashedMessage: new OctetString(digest),
    }),
    nonce: nonce.buffer,
    certReq: true,
  });
  const answer = await post(authority, AsnConvert.serialize(request));
  let info: TSTInfo;
  let token: ArrayBuffer;
  try {
    const { status, timeStampToken } = AsnConvert.parse(answer, TimeStampResp);
    if (![PKIStatus.granted, PKIStatus.grantedWithMods].includes(status.status) || !timeStampToken) {
      throw new StampError("refused");
    }
    const signed = AsnConvert.parse(timeStampToken.content, SignedData);
    info = AsnConvert.parse(signed.encapContentInfo.eContent!.single!.buffer, TSTInfo);
    token = AsnConvert.serialize(timeStampToken);
  } catch (error) {
    throw error instanceof StampError ? error : new StampError("not_a_stamp");
  }
  const { messageImprint, genTime } = info;
  if (
    messageImprint.hashAlgorithm.algorithm !== SHA256 ||
    hex(messageImprint.hashedMessage.buffer) !== hex(digest) || !info.nonce ||
    hex(info.nonce) !== hex(nonce.buffer)
  ) {
    throw new StampError("of_something_else");
  }
  return { token: encodeBase64(token), stampedAt: genTime.toISOString() };
}

async function post(authority: string, body: ArrayBuffer): Promise<ArrayBuffer> {
  try {
    return await inTime(TIMEOUT_MS, async (signal) => {
      const response = await fetch(authority, {
        method: "POST",
        headers: { "content-type": "application/timestamp-query" },
        body,
        signal,
      });
      if (!response.ok) {
        await response.body?.cancel();
        throw new StampError(`status_${response.status}`);
      }
      return await limited(response);
    });
  } catch (error) {
    throw error instanceof StampError ? error : new StampError("unreachable");
  }
}

async function limited(response: Response): Promise<ArrayBuffer> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new StampError("too_long"); // leaves the loop, which cancels the body
    parts.push(part as Uint8Array<ArrayBuffer>);
  }
  return await new Blob(parts).arrayBuffer();
}

const hex = (buffer: ArrayBuffer) => encodeHex(new Uint8Array(buffer));
