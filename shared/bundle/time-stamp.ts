/**
 * Checks an RFC 3161 time stamp with nothing but what is in it: that it stamps this text, and that the key of the certificate
 * it brings has signed it. Whose certificate that is can only be known from elsewhere.
 */
import {
  type Certificate,
  ExtendedKeyUsage,
  id_ce_extKeyUsage,
  id_ce_subjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { type Attribute, ContentInfo, SignedData, type SignerInfo } from "@peculiar/asn1-cms";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import { TSTInfo } from "@peculiar/asn1-tsp";
import { bytesToHex } from "@noble/hashes/utils.js";

const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
/** RFC 5035's two forms of it: which certificate the signer means. */
const SIGNING_CERTIFICATE = ["1.2.840.113549.1.9.16.2.47", "1.2.840.113549.1.9.16.2.12"];
const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
const COMMON_NAME = "2.5.4.3";
const HASHES: Record<string, string> = {
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};
/** Signature algorithms, and the hash that one brings; else it is that of the signer's digest. */
const RSA: Record<string, string | undefined> = {
  "1.2.840.113549.1.1.1": undefined,
  "1.2.840.113549.1.1.11": "SHA-256",
  "1.2.840.113549.1.1.12": "SHA-384",
  "1.2.840.113549.1.1.13": "SHA-512",
};
const ECDSA: Record<string, string> = {
  "1.2.840.10045.4.3.2": "SHA-256",
  "1.2.840.10045.4.3.3": "SHA-384",
  "1.2.840.10045.4.3.4": "SHA-512",
};
/** By the OBJECT IDENTIFIER in DER, in hex. */
const CURVES: Record<string, { name: string; bytes: number }> = {
  "06082a8648ce3d030107": { name: "P-256", bytes: 32 },
  "06052b81040022": { name: "P-384", bytes: 48 },
  "06052b81040023": { name: "P-521", bytes: 66 },
};

export interface TimeStamp {
  /** False: it is not of this text, not whole, or not signed by its own certificate's key. Undefined: in a way not known here. */
  good: boolean | undefined;
  /** ISO 8601, as the token itself states it. */
  stampedAt?: string;
  /** The common names of who signed, and of who vouches for that. */
  signer?: string;
  issuer?: string;
  /** SHA-256 of the signer's certificate, in hex. */
  fingerprint?: string;
}

/** `token` in base64. What is no token at all is not good. */
export async function checkTimeStamp(token: string, text: string): Promise<TimeStamp> {
  try {
    return await check(Uint8Array.from(atob(token), (char) => char.charCodeAt(0)), text);
  } catch {
    return { good: false };
  }
}

async function check(token: Uint8Array<ArrayBuffer>, text: string): Promise<TimeStamp> {
  const signed = AsnConvert.parse(AsnConvert.parse(token, ContentInfo).content, SignedData);
  const content = signed.encapContentInfo.eContent!.single!.buffer;
  const info = AsnConvert.parse(content, TSTInfo);
  const [signer, ...more] = signed.signerInfos;
  const certificates = (signed.certificates ?? []).flatMap(({ certificate }) => certificate ?? []);
  const certificate = certificates.find((one) => isOf(signer!, one));
  if (!signer || more.length || !certificate || signed.encapContentInfo.eContentType !== TST_INFO) {
    return { good: false };
  }
  const raw = rawCertificate(token, certificate);
  const found = {
    stampedAt: info.genTime.toISOString(),
    signer: nameOf(certificate.tbsCertificate.subject),
    issuer: nameOf(certificate.tbsCertificate.issuer),
    fingerprint: bytesToHex(await hash("SHA-256", raw)),
  };
  const imprint = HASHES[info.messageImprint.hashAlgorithm.algorithm];
  const digest = HASHES[signer.digestAlgorithm.algorithm];
  if (!imprint || !digest) return { ...found, good: undefined };
  const { notBefore, notAfter } = certificate.tbsCertificate.validity;
  const holds =
    isEqual(await hash(imprint, new TextEncoder().encode(text)), info.messageImprint.hashedMessage.buffer) &&
    isEqual(await hash(digest, content), digestAttribute(signer.signedAttrs ?? [])) &&
    await isMeant(raw, signer.signedAttrs ?? []) && mayStamp(certificate) &&
    info.genTime >= notBefore.getTime() && info.genTime <= notAfter.getTime();
  if (!holds) return { ...found, good: false };
  return { ...found, good: await isSigned(signer, certificate, digest, setOf(signer.signedAttrs ?? [])) };
}

/** Undefined where the algorithm is not known here, or to whatever runs this. */
async function isSigned(
  signer: SignerInfo,
  certificate: Certificate,
  digest: string,
  attributes: Uint8Array<ArrayBuffer>,
): Promise<boolean | undefined> {
  const { subjectPublicKeyInfo } = certificate.tbsCertificate;
  const { algorithm } = signer.signatureAlgorithm;
  const curve =
    CURVES[bytesToHex(new Uint8Array(subjectPublicKeyInfo.algorithm.parameters ?? new ArrayBuffer(0)))];
  let how: { name: string; hash: string; namedCurve?: string };
  let signature = new Uint8Array(signer.signature.buffer);
  if (algorithm in RSA) how = { name: "RSASSA-PKCS1-v1_5", hash: RSA[algorithm] ?? digest };
  else if (algorithm in ECDSA && curve) {
    how = { name: "ECDSA", namedCurve: curve.name, hash: ECDSA[algorithm]! };
    signature = fixedLength(signature, curve.bytes);
  } else return undefined;
  try {
    const key = await crypto.subtle.importKey(
      "spki",
      AsnConvert.serialize(subjectPublicKeyInfo),
      how,
      false,
      ["verify"],
    );
    return await crypto.subtle.verify(how, key, signature, attributes);
  } catch (error) {
    if ((error as Error).name === "NotSupportedError") return undefined;
    throw error;
  }
}

function isOf(signer: SignerInfo, { tbsCertificate }: Certificate): boolean {
  const { issuerAndSerialNumber: named, subjectKeyIdentifier } = signer.sid;
  if (named) {
    return isEqual(named.serialNumber, tbsCertificate.serialNumber) &&
      isEqual(AsnConvert.serialize(named.issuer), AsnConvert.serialize(tbsCertificate.issuer));
  }
  const extension = tbsCertificate.extensions?.find(({ extnID }) => extnID === id_ce_subjectKeyIdentifier);
  return !!extension && !!subjectKeyIdentifier &&
    isEqual(AsnConvert.parse(extension.extnValue.buffer, OctetString).buffer, subjectKeyIdentifier.buffer);
}

/** As it stands in the token: made anew it could come out otherwise. */
function rawCertificate(
  token: Uint8Array<ArrayBuffer>,
  { tbsCertificateRaw }: Certificate,
): Uint8Array<ArrayBuffer> {
  const start = indexOf(token, new Uint8Array(tbsCertificateRaw!)) - 4;
  // a SEQUENCE with two bytes of length: no certificate is shorter than 256 bytes or longer than 65,535
  if (start < 0 || token[start] !== 0x30 || token[start + 1] !== 0x82) throw new TypeError("no certificate");
  return token.slice(start, start + 4 + token[start + 2]! * 256 + token[start + 3]!);
}

/** What is signed (RFC 5652, 5.4): the attributes in DER as a SET, which in the token has another tag. */
function setOf(attributes: Attribute[]): Uint8Array<ArrayBuffer> {
  const content = attributes.flatMap((attribute) => [...new Uint8Array(AsnConvert.serialize(attribute))]);
  const length = content.length < 128
    ? [content.length]
    : content.length < 256
    ? [0x81, content.length]
    : [0x82, content.length >> 8, content.length & 255];
  return Uint8Array.from([0x31, ...length, ...content]);
}

function digestAttribute(attributes: Attribute[]): ArrayBuffer {
  const { attrValues: [value] } = attributes.find(({ attrType }) => attrType === MESSAGE_DIGEST)!;
  return AsnConvert.parse(value!, OctetString).buffer;
}

/** A signature names its certificate by hash, so that none is put in another's place. */
async function isMeant(certificate: Uint8Array<ArrayBuffer>, attributes: Attribute[]): Promise<boolean> {
  const value = attributes.find(({ attrType }) => SIGNING_CERTIFICATE.includes(attrType))?.attrValues[0];
  if (!value) return false;
  for (const algorithm of ["SHA-256", "SHA-1", "SHA-384", "SHA-512"]) {
    if (indexOf(new Uint8Array(value), await hash(algorithm, certificate)) >= 0) return true;
  }
  return false;
}

function mayStamp({ tbsCertificate }: Certificate): boolean {
  const extension = tbsCertificate.extensions?.find(({ extnID }) => extnID === id_ce_extKeyUsage);
  return !!extension && AsnConvert.parse(extension.extnValue, ExtendedKeyUsage).includes(TIME_STAMPING);
}

function nameOf(name: Certificate["tbsCertificate"]["subject"]): string {
  return name.flat().find(({ type }) => type === COMMON_NAME)?.value.toString() ?? "";
}

/** Web Crypto has ECDSA's two numbers one behind the other, each as long as the curve's; DER has them as INTEGERs. */
function fixedLength(der: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(2 * bytes);
  let at = der[1]! & 0x80 ? 3 : 2; // behind the SEQUENCE's length
  for (const end of [bytes, 2 * bytes]) {
    const next = at + 2 + der[at + 1]!;
    const digits = der.slice(at + 2, next).slice(-bytes);
    both.set(digits, end - digits.length);
    at = next;
  }
  return both;
}

async function hash(algorithm: string, bytes: BufferSource): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, bytes));
}

const isEqual = (one: ArrayBuffer | Uint8Array, other: ArrayBuffer) =>
  bytesToHex(new Uint8Array(one)) === bytesToHex(new Uint8Array(other));

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  const [text, wanted] = [bytesToHex(bytes), bytesToHex(part)];
  let found = text.indexOf(wanted);
  while (found % 2 === 1) found = text.indexOf(wanted, found + 1);
  return found < 0 ? -1 : found / 2;
}
