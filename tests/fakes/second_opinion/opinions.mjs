// Answers questions, one JSON object per line, with the packages that Expo's own tools use.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.cwd()}/package.json`);
const signing = require("@expo/code-signing-certificates");
const { parseMultipartMixedResponseAsync } = require("@expo/multipart-body-parser");
const { parseDictionary, parseList } = require("structured-headers");

const bare = (value) =>
  Array.isArray(value)
    ? value.map(([item]) => bare(item))
    : value instanceof ArrayBuffer
      ? { bytes: Buffer.from(value).toString("base64") }
      : typeof value === "object"
        ? { token: value.toString() }
        : value;

const answers = {
  async parts({ contentType, body }) {
    const parts = await parseMultipartMixedResponseAsync(contentType, Buffer.from(body, "base64"));
    return parts.map((part) => ({
      name: part.name,
      body: part.body,
      headers: Object.fromEntries(part.headers),
    }));
  },
  async list({ text }) {
    return parseList(text).map(([value]) => bare(value));
  },
  async dictionary({ text }) {
    const read = [...parseDictionary(text)];
    return Object.fromEntries(read.map(([key, [value]]) => [key, bare(value)]));
  },
  async signature({ certificate, signature, body }) {
    const known = signing.convertCertificatePEMToCertificate(certificate);
    const digest = createHash("sha256").update(Buffer.from(body, "base64")).digest("binary");
    const raw = Buffer.from(signature, "base64").toString("binary");
    return {
      verified: known.publicKey.verify(digest, raw),
      selfSigned: known.verify(known),
      mayVerify: known.getExtension("keyUsage")?.digitalSignature === true,
      forCode: known.getExtension("extKeyUsage")?.codeSigning === true,
    };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { question, ...details } = JSON.parse(line);
  let answer;
  try {
    answer = { answer: await answers[question](details) };
  } catch (error) {
    answer = { refused: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
